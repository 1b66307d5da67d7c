/* Fresh stacks: what switch_stack() finds there the first time. */
#include <hv/arch_thread.h>
#include <hv/mm.h>
#include <hv/string.h>
#include <hv/vcpu.h>

extern char vcpu_first_return[], thread_first_return[];

/* Layout of what switch_stack() pops. */
struct switch_frame {
    uint32_t r3_r11[9];
    uint32_t pc;
};
_Static_assert(STACK_SIZE == 1u << STACK_SHIFT, "vectors.S finds overflows by this bit");
_Static_assert(sizeof(struct cpu_regs) % 8 == 0 && sizeof(struct switch_frame) % 8 == 0,
               "the stack pointer stays aligned");

void arch_stack_init(struct vcpu *v) {
    v->regs = (struct cpu_regs *)(v->stack + STACK_SIZE) - 1;
    memset(v->regs, 0, sizeof(*v->regs));
    v->regs->vcpu = v;
}

static struct switch_frame *first_frame(struct vcpu *v, char *pc) {
    struct switch_frame *f = (struct switch_frame *)v->regs - 1;

    memset(f, 0, sizeof(*f)); /* r11 = 0 ends a backtrace */
    f->pc = (uint32_t)pc;
    v->sp = (uintptr_t)f;
    return f;
}

void arch_stack_start_guest(struct vcpu *v) {
    first_frame(v, vcpu_first_return);
}

void arch_stack_start_thread(struct vcpu *v, void (*fn)(void *), void *arg) {
    struct switch_frame *f = first_frame(v, thread_first_return);

    f->r3_r11[1] = (uint32_t)fn;
    f->r3_r11[2] = (uint32_t)arg;
}
