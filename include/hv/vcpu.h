/* Floor 6: a virtual CPU: its stack in the hypervisor, its guest state, its place in the scheduler.
 */
#ifndef HV_VCPU_H
#define HV_VCPU_H

#include <hv/list.h>
#include <hv/percpu.h>
#include <hv/sched.h>
#include <hv/timer.h>
#include <hv/types.h>
#include <hv/vgic.h>
#include <hv/vtimer.h>

#include <asm/regs.h>
#include <asm/vcpu.h> /* struct arch_vcpu: EL1 system registers, FP, debug registers */

struct domain;
struct mmio_range;

enum vcpu_state {
    VCPU_OFFLINE,  /* not started, or powered off by PSCI */
    VCPU_STARTING, /* claimed by vcpu_claim() */
    VCPU_RUNNABLE, /* in a run queue, or running */
    VCPU_BLOCKED,  /* waits for an event in WFI */
    VCPU_PAUSED,   /* its domain is, and it has left its guest */
    VCPU_DEAD,     /* its domain died; never runs again */
};

/* Bits of vcpu.work: tested in one load on each return to the guest. */
#define VCPU_WORK_IRQ 1u    /* the vGIC has something to put into list registers */
#define VCPU_WORK_STOP 2u   /* domain is going away: do not return to the guest */
#define VCPU_WORK_PTIMER 4u /* its emulated timer's time has come */
#define VCPU_WORK_PAUSE 8u  /* domain is paused: nor */

/* What a vCPU's time goes into, with the numbers of Xen's RUNSTATE_; in ticks. */
enum vcpu_time { TIME_RUNNING, TIME_RUNNABLE, TIME_BLOCKED, TIME_OFFLINE, NR_VCPU_TIMES };
struct vcpu_times {
    enum vcpu_time state;
    uint64_t since; /* it is in that state */
    uint64_t spent[NR_VCPU_TIMES];
};

struct vcpu {
    uint32_t work;         /* atomic; bits above. Offset known to vectors.S */
    uint32_t id;           /* in its domain */
    struct domain *domain; /* NULL for hypervisor threads */
    struct cpu_regs *regs; /* top of stack */
    uintptr_t sp;          /* saved stack pointer while not running */
    vaddr_t stack;

    enum vcpu_state state; /* guarded by the scheduler lock of `cpu` */
    unsigned cpu;          /* where it runs or last ran; changes under both CPUs' locks in turn */
    bool on_cpu;           /* its stack is in use (cleared after its state is saved); likewise */
    bool in_queue;
    bool wake_pending; /* threads and who polls: woken before they blocked */
    bool polling;      /* for events; set and cleared by the vCPU itself */
    struct list run_link;
    struct vcpu_sched sched;
    struct vcpu_times times;
    uint64_t runstate_area; /* 0: its times are not told to the guest; atomic */

    const struct mmio_range *mmio_last; /* where its last emulated access went */

    struct arch_vcpu arch;
    struct vgic_vcpu vgic;
    struct vtimer vtimer; /* CNTV */
    struct vtimer ptimer; /* CNTP, emulated */
};

DECLARE_PER_CPU(struct vcpu *, current_vcpu);
#define current (this_cpu(current_vcpu))

/* ---- scheduler ---- */
void sched_init(void);     /* once */
void sched_init_cpu(void); /* makes the calling context this CPU's idle thread, on that stack */
void sched_idle(void) __noreturn; /* the idle thread's body */
/* CPUs that wait look once more for memory to be cleared. */
void sched_stir_idle(void);
/* Gives a new vCPU its stack, the usual parameters and its first CPU (the one with the fewest);
 * OFFLINE. 0, -ENOMEM, -EBUSY (see sched_configure()). Undone by sched_remove(). */
int sched_add(struct vcpu *v) __must_check;
/* Other parameters, before its domain runs. -EBUSY: a null pool has no CPU left for it, which stays
 * as it was. */
int sched_configure(struct vcpu *v, const struct sched_params *p) __must_check;
void sched_remove(struct vcpu *v); /* v must be DEAD or OFFLINE and off its CPU */
/* Makes v runnable if it is blocked; a wake-up between its last check and its block is not lost. */
void vcpu_wake(struct vcpu *v);
/* If v runs on another CPU, makes that CPU pass through its return-to-guest work; wakes it when
 * blocked. */
void vcpu_kick(struct vcpu *v);
/*
 * The current vCPU waits until vcpu_wake(); returns at once when an interrupt is pending for it or
 * its domain stops or pauses. With nobody else to run the CPU waits right here, with the guest's
 * state loaded.
 */
void vcpu_block(void);
void vcpu_yield(void); /* whoever waits for the CPU runs first */
/* Its times up to now; they add up to its age. */
void vcpu_get_times(struct vcpu *v, struct vcpu_times *t);
/*
 * Called whenever the current vCPU goes from running to anything else or back, if it has a
 * runstate_area: its guest state is in the processor, and no lock is held. Set once, by the layer
 * above.
 */
void sched_set_publish(void (*publish)(struct vcpu *v));
/* If the current vCPU's domain is paused: waits until it goes on, or ends. For who calls
 * vcpu_block() without a return to the guest after it. */
void vcpu_pause_self(void);
/* True when a paused domain's vCPU neither runs nor will before it is told to go on. */
bool vcpu_is_quiet(const struct vcpu *v);
/* Takes the current vCPU off: offline (PSCI) until vcpu_online(), or dead. Dead never returns. */
void vcpu_stop_self(enum vcpu_state to);
/* Who is on that CPU; it is not freed before sched_peek_end(). NULL: whoever it is holds the lock
 * of the CPU's queue (and no end is to be told). */
const struct vcpu *sched_peek(unsigned cpu);
void sched_peek_end(unsigned cpu);
/*
 * OFFLINE -> RUNNABLE in two steps, so that of two callers one wins: vcpu_claim() takes an offline
 * vCPU (true: nobody else may, and its registers may be set), vcpu_online() lets it run.
 */
bool vcpu_claim(struct vcpu *v) __must_check;
void vcpu_online(struct vcpu *v);
/* Sets a VCPU_WORK_ bit; the caller kicks. */
static inline void vcpu_set_work(struct vcpu *v, uint32_t bit) {
    __atomic_fetch_or(&v->work, bit, __ATOMIC_RELEASE);
}
static inline void vcpu_clear_work(struct vcpu *v, uint32_t bit) {
    __atomic_fetch_and(&v->work, ~bit, __ATOMIC_ACQUIRE);
}
/* Its domain goes away: an OFFLINE one is DEAD at once, any other when it would return to its
 * guest. */
void vcpu_stop(struct vcpu *v);
/*
 * A hypervisor thread: fn(arg) on its own stack, scheduled like a vCPU. NULL: no memory. It is
 * freed when fn returns: the pointer is of use only to who knows that it has not, and nobody wakes
 * it after that.
 */
struct vcpu *hv_thread_create(void (*fn)(void *), void *arg);
/* Long work calls this between bounded steps: runs interrupts, softirqs and whoever else is
 * runnable. */
void preempt_point(void);
extern void (*preempt_point_hook)(void); /* debug builds: called at each; NULL: none */

/* ---- guest state, arch/ ---- */
void vcpu_arch_init(struct vcpu *v); /* reset values; entry and x0 come by vcpu_set_entry() */
/* First instruction: pc, x0 and (AArch32 guests) the mode. */
void vcpu_set_entry(struct vcpu *v, uint64_t pc, uint64_t x0, bool aarch32);
void vcpu_save_guest(struct vcpu *v);
void vcpu_load_guest(struct vcpu *v);
/* Of the vCPU that is loaded: a WFE, as who waits for a spinlock executes it, becomes a
 * vcpu_yield(). */
void vcpu_trap_wfe(bool on);
/* n = 31 reads 0; AArch32 banked names are resolved. */
uint64_t vcpu_get_reg(const struct vcpu *v, unsigned n);
void vcpu_set_reg(struct vcpu *v, unsigned n, uint64_t val);
void vcpu_skip_instruction(struct vcpu *v, unsigned bytes);
/* The current vCPU, on return from its hypercall: PSTATE.I clear. */
void vcpu_unmask_interrupts(struct vcpu *v);
/* Current, or quiet. */
void vcpu_dump(const struct vcpu *v);

/* ---- exceptions into the guest, arch/: the vCPU is current and has a full frame ---- */
void inject_undefined(struct vcpu *v, bool insn32);
/* A synchronous external abort of a store (wnr) or load, DFSC 0x10. */
void inject_data_abort(struct vcpu *v, uint64_t far, bool wnr);
void inject_insn_abort(struct vcpu *v, uint64_t far); /* IFSC 0x10 */

#endif
