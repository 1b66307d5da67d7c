/* Floor 6: laying out a fresh stack so that the first switch to it starts a guest or a thread. */
#ifndef HV_ARCH_THREAD_H
#define HV_ARCH_THREAD_H

#include <hv/types.h>

struct vcpu;

/* The frame v->regs is put at the top of the stack, cleared. */
void arch_stack_init(struct vcpu *v);
/* Sets v->sp so that the next switch goes to the guest with what v->regs holds, or starts fn(arg).
 */
void arch_stack_start_guest(struct vcpu *v);
void arch_stack_start_thread(struct vcpu *v, void (*fn)(void *), void *arg);

/* On next's stack; returns the vCPU that was left. */
struct vcpu *switch_stack(struct vcpu *prev, struct vcpu *next);
/* Called once on a fresh stack with the vCPU that was left. */
void sched_switched(struct vcpu *prev);
void thread_exit(void) __noreturn;
/* The way out to a guest when softirqs or vCPU work are pending (vectors.S). */
void leave_to_guest(struct vcpu *v);

#endif
