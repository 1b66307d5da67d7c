/* Fresh stacks: what switch_stack() finds there the first time. */
#include <hv/arch_thread.h>
#include <hv/mm.h>
#include <hv/string.h>
#include <hv/vcpu.h>

#include <asm/harden.h>
#include <asm/switch_frame.h>

extern char vcpu_first_return[], thread_first_return[];

_Static_assert(STACK_SIZE == 1u << STACK_SHIFT, "vectors.S finds overflows by this bit");
_Static_assert(sizeof(struct cpu_regs) % (2 * sizeof(uintptr_t)) == 0 &&
                   sizeof(struct switch_frame) % (2 * sizeof(uintptr_t)) == 0,
               "the stack pointer stays aligned");

void arch_stack_init(struct vcpu *v) {
    v->regs = (struct cpu_regs *)(v->stack + STACK_SIZE) - 1;
    memset(v->regs, 0, sizeof(*v->regs));
    v->regs->vcpu = v;
}

static struct switch_frame *first_frame(struct vcpu *v, char *lr) {
    struct switch_frame *f = (struct switch_frame *)v->regs - 1;

    memset(f, 0, sizeof(*f)); /* fp = 0 ends a backtrace */
    f->lr = harden_sign((uintptr_t)lr, (uintptr_t)v->regs);
    v->sp = (uintptr_t)f;
    return f;
}

void arch_stack_start_guest(struct vcpu *v) {
    switch_frame_of_guest(first_frame(v, vcpu_first_return), v->regs);
}

void arch_stack_start_thread(struct vcpu *v, void (*fn)(void *), void *arg) {
    struct switch_frame *f = first_frame(v, thread_first_return);

    f->saved[0] = (uintptr_t)fn;
    f->saved[1] = (uintptr_t)arg;
}
