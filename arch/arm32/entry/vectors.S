/*
 * Exception vectors, the way in from a guest and back, and the stack switch.
 *
 * A vCPU runs in its guest with SP_hyp = its struct cpu_regs at the top of its stack, so the way in
 * only stores: r0..r12, r14 of User mode (which Hyp mode shares), ELR_hyp and SPSR_hyp. The registers
 * of the guest's other modes stay in the processor until a vCPU switch. Hyp mode runs with interrupts
 * masked, and nothing nests.
 */
#include <asm/layout.h>
#include <asm/offsets.h>

    .arch_extension virt
    .arch_extension sec
    .arm

    .macro save_regs
    stm     sp, {r0-r12}
    str     lr, [sp, #REGS_LR]
    mrs     r0, elr_hyp
    mrs     r1, spsr
    str     r0, [sp, #REGS_PC]
    str     r1, [sp, #REGS_SPSR]
    .endm

    .macro own_vectors name
    .balign 32
    .globl \name
\name:
    b       .                       /* not used */
    b       hyp_undefined
    b       hyp_hvc
    b       hyp_prefetch_abort
    b       hyp_data_abort
    .endm

    /*
     * On a CPU that wants its branch prediction cleared at entries from a guest (asm/speculation.h): no branch is
     * before that, so each entry falls through those behind it, and what it added to SP tells which it was.
     */
#define TRAPPED 1
#define INTERRUPTED 2
    .macro hardened_vectors name, clear
    own_vectors \name
    add     sp, sp, #TRAPPED
    add     sp, sp, #INTERRUPTED
    mcr     p15, 0, r0, c7, c5, \clear
    isb
    b       guest_hardened
    .endm
    .section .vectors, "ax"
    own_vectors hv_vectors
    b       guest_trap
    b       guest_irq
    b       guest_fiq
    hardened_vectors hv_vectors_clear_branches, 6       /* BPIALL */
    hardened_vectors hv_vectors_clear_instructions, 0   /* ICIALLU */

    /* What else a CPU needs: at_entry. */
    .macro clean_history added
    .if \added
    sub     sp, sp, #\added
    .endif
    stm     sp, {r0-r3}
    mrc     p15, 4, r1, c13, c0, 2
    ldr     r0, =at_entry
    add     r0, r0, r1
    ldm     r0, {r0, r1}
    cmp     r1, #0
    beq     3f
1:  b       2f
2:  subs    r1, r1, #1
    bne     1b
3:  cmp     r0, #0
    beq     4f
    smc     #0                      /* changes r0..r3 */
4:  dsb     nsh                     /* whatever was guessed so far is settled here */
    isb
    ldm     sp, {r0-r3}
    .endm

    .section .text.hot, "ax"
guest_hardened:
    tst     sp, #TRAPPED
    beq     5f
    clean_history TRAPPED + INTERRUPTED
    b       guest_trap
5:  tst     sp, #INTERRUPTED
    beq     6f
    clean_history INTERRUPTED
    b       guest_irq
6:  clean_history 0
    b       guest_fiq
guest_trap:
    save_regs
    mrc     p15, 4, r0, c5, c2, 0   /* HSR */
    mov     r1, #0
    mov     r2, sp
    bl      trap_sync
guest_return:
    mrc     p15, 4, r2, c13, c0, 2
    ldr     r3, =softirq_pending
    ldr     r0, [sp, #REGS_VCPU]
    ldr     r3, [r3, r2]
    ldr     r1, [r0, #VCPU_WORK]
    orrs    r1, r1, r3
    blne    leave_to_guest
    ldr     r0, [sp, #REGS_PC]
    ldr     r1, [sp, #REGS_SPSR]
    msr     elr_hyp, r0
    msr     spsr_cxsf, r1
    ldr     lr, [sp, #REGS_LR]
    clrex
    ldm     sp, {r0-r12}
    eret
    dsb     nsh                     /* what stands behind an ERET is not run ahead of it */
    isb

guest_irq:
    save_regs
    bl      irq_dispatch
    b       guest_return

guest_fiq:
    save_regs
    mov     r0, sp
    bl      trap_fiq
    b       guest_return
    .ltorg

/* ---- exceptions of the hypervisor itself: never returned from ---- */
    .text
    /* A stack slot is 2 << STACK_SHIFT apart and the stack its upper half: an overflow clears that bit of SP. */
    .macro hyp_exception kind
    mcr     p15, 0, r0, c13, c0, 4  /* TPIDRPRW: no guest state matters any more */
    tst     sp, #(1 << STACK_SHIFT)
    mov     r0, #\kind
    b       report
    .endm
hyp_undefined:
    hyp_exception 0
hyp_hvc:
    hyp_exception 1
hyp_prefetch_abort:
    hyp_exception 2
hyp_data_abort:
    hyp_exception 3
report:
    mcr     p15, 0, r0, c13, c0, 2  /* TPIDRURW: the kind */
    mov     r0, sp
    mcr     p15, 0, r0, c13, c0, 3  /* TPIDRURO: the stack pointer */
    bne     1f
    mrc     p15, 4, r0, c13, c0, 2
    mov     sp, r0
    ldr     r0, =emergency_stack_end
    add     sp, sp, r0
1:  mrc     p15, 0, r0, c13, c0, 4
    sub     sp, sp, #REGS_SIZE
    save_regs
    mov     r0, sp
    mrc     p15, 0, r1, c13, c0, 2
    mrc     p15, 0, r2, c13, c0, 3
    b       hv_exception
    .ltorg

/* struct vcpu *switch_stack(struct vcpu *prev (r0), struct vcpu *next (r1)): returns prev, on next's stack. */
    .section .text.hot, "ax"
    .globl switch_stack
switch_stack:
    push    {r3-r11, lr}            /* r3 keeps the stack pointer aligned */
    str     sp, [r0, #VCPU_SP]
    ldr     sp, [r1, #VCPU_SP]
    pop     {r3-r11, pc}

/* First switch to a vCPU: its stack was laid out by arch_stack_start_guest(); r0 = the one before. */
    .globl vcpu_first_return
vcpu_first_return:
    bl      sched_switched
    b       guest_return

/* First switch to a hypervisor thread: r4 = function, r5 = its argument. */
    .globl thread_first_return
thread_first_return:
    bl      sched_switched
    mov     r0, r5
    blx     r4
    bl      thread_exit
    b       .
