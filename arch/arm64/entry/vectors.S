/*
 * Exception vectors, the way in from a guest and back, and the stack switch.
 *
 * A vCPU runs in its guest with SP_EL2 = its struct cpu_regs at the top of its stack, so the way in
 * only stores. x0..x30 are always stored (a dump is always complete). C keeps x19..x29, so the way back from
 * a hypercall or an interrupt reloads only what C may have changed, and leaves ELR and SPSR in hardware all the
 * time: EL2 runs with interrupts masked, nothing nests, and a vCPU switch saves the two. Other traps are about
 * the guest's registers: what C did to any of them, the two included, is in the frame.
 */
#include <asm/layout.h>
#include <asm/offsets.h>

#define EC_HVC64 0x16

    .macro save_x
    stp     x0, x1, [sp, #REGS_X0 + 0]
    stp     x2, x3, [sp, #REGS_X0 + 16]
    stp     x4, x5, [sp, #REGS_X0 + 32]
    stp     x6, x7, [sp, #REGS_X0 + 48]
    stp     x8, x9, [sp, #REGS_X0 + 64]
    stp     x10, x11, [sp, #REGS_X0 + 80]
    stp     x12, x13, [sp, #REGS_X0 + 96]
    stp     x14, x15, [sp, #REGS_X0 + 112]
    stp     x16, x17, [sp, #REGS_X0 + 128]
    stp     x18, x19, [sp, #REGS_X0 + 144]
    stp     x20, x21, [sp, #REGS_X0 + 160]
    stp     x22, x23, [sp, #REGS_X0 + 176]
    stp     x24, x25, [sp, #REGS_X0 + 192]
    stp     x26, x27, [sp, #REGS_X0 + 208]
    stp     x28, x29, [sp, #REGS_X0 + 224]
    str     x30, [sp, #REGS_LR]
    .endm

    .macro save_pc
    mrs     x2, elr_el2
    mrs     x3, spsr_el2
    stp     x2, x3, [sp, #REGS_PC]
    .endm

    /* What C may change, but for x18. */
    .macro restore_caller_saved
    ldp     x2, x3, [sp, #REGS_X0 + 16]
    ldp     x4, x5, [sp, #REGS_X0 + 32]
    ldp     x6, x7, [sp, #REGS_X0 + 48]
    ldp     x8, x9, [sp, #REGS_X0 + 64]
    ldp     x10, x11, [sp, #REGS_X0 + 80]
    ldp     x12, x13, [sp, #REGS_X0 + 96]
    ldp     x14, x15, [sp, #REGS_X0 + 112]
    ldp     x16, x17, [sp, #REGS_X0 + 128]
    ldr     x30, [sp, #REGS_LR]
    ldp     x0, x1, [sp, #REGS_X0 + 0]
    .endm

    .macro restore_x18_and_callee_saved
    ldp     x18, x19, [sp, #REGS_X0 + 144]
    ldp     x20, x21, [sp, #REGS_X0 + 160]
    ldp     x22, x23, [sp, #REGS_X0 + 176]
    ldp     x24, x25, [sp, #REGS_X0 + 192]
    ldp     x26, x27, [sp, #REGS_X0 + 208]
    ldp     x28, x29, [sp, #REGS_X0 + 224]
    .endm

    /* x1 != 0 when this vCPU or this CPU has something to do before the guest goes on. */
    .macro pending_work
    mrs     x2, tpidr_el2
    adrp    x3, softirq_pending
    add     x3, x3, x2
    ldr     x0, [sp, #REGS_VCPU]
    ldr     w3, [x3, :lo12:softirq_pending]
    ldr     w1, [x0, #VCPU_WORK]
    orr     w1, w1, w3
    .endm

    /* What stands behind an ERET is not run ahead of it. */
    .macro return_to_guest
    eret
    dsb     nsh
    isb
    .endm

    .macro vector target
    .balign 0x80
    b       \target
    .endm

    /* An entry from a guest on a CPU that wants its branch prediction cleaned first: asm/speculation.h. */
    .macro hardened_vector target
    .balign 0x80
    stp     x0, x1, [sp, #REGS_X0 + 0]
    stp     x2, x3, [sp, #REGS_X0 + 16]
    mrs     x1, tpidr_el2
    adrp    x0, at_entry
    add     x0, x0, :lo12:at_entry
    add     x0, x0, x1
    ldp     w0, w1, [x0]
    cbz     w1, 3f
1:  b       2f
2:  subs    w1, w1, #1
    b.ne    1b
    hint    #22                     /* CLRBHB */
3:  cbz     w0, 4f
    smc     #0                      /* changes x0..x3 */
4:  dsb     nsh                     /* whatever was guessed so far is settled here */
    isb
    ldp     x2, x3, [sp, #REGS_X0 + 16]
    ldp     x0, x1, [sp, #REGS_X0 + 0]
    b       \target
    .endm

    .macro own_vectors
    vector  el2_sp0
    vector  el2_sp0
    vector  el2_sp0
    vector  el2_sp0
    .balign 0x80
    /* A stack slot is 2 << STACK_SHIFT apart and the stack its upper half: an overflow clears that bit of SP. */
    sub     sp, sp, #REGS_SIZE
    add     sp, sp, x0
    sub     x0, sp, x0
    tbz     x0, #STACK_SHIFT, 1f
    sub     x0, sp, x0
    sub     sp, sp, x0
    b       el2_sync
1:  b       el2_overflow
    vector  el2_irq
    vector  el2_irq
    vector  el2_serror
    .endm

    .section .vectors, "ax"
    .balign 2048
    .globl hv_vectors
hv_vectors:
    own_vectors
    vector  guest_sync_64
    vector  guest_irq
    vector  guest_fiq
    vector  guest_serror
    vector  guest_sync_32
    vector  guest_irq
    vector  guest_fiq
    vector  guest_serror

    .balign 2048
    .globl hv_vectors_hardened
hv_vectors_hardened:
    own_vectors
    hardened_vector guest_sync_64
    hardened_vector guest_irq
    hardened_vector guest_fiq
    hardened_vector guest_serror
    hardened_vector guest_sync_32
    hardened_vector guest_irq
    hardened_vector guest_fiq
    hardened_vector guest_serror
    .balign 0x80

    .section .text.hot, "ax"
    .balign 64
guest_sync_64:
    save_x
    mrs     x0, esr_el2
    lsr     x1, x0, #26
    cmp     x1, #EC_HVC64
    b.ne    guest_sync_full
    and     w3, w0, #0xffff         /* the immediate */
    ldr     x0, [sp, #REGS_VCPU]
    mov     x1, sp
    cmp     w3, #TAG_OF_HYPERCALLS
    b.ne    2f
    mov     x2, x16
    bl      hypercall
    str     x0, [sp, #REGS_X0]
light_return:
    pending_work
    cbnz    w1, 1f
    ldr     x18, [sp, #REGS_X0 + 144]
    restore_caller_saved
    return_to_guest
    /* Work may switch to another vCPU; the switch keeps ELR and SPSR with this stack. */
1:  bl      leave_to_guest
    ldr     x18, [sp, #REGS_X0 + 144]
    restore_caller_saved
    return_to_guest
2:  bl      smccc_call
    b       light_return

    .balign 64
guest_sync_32:
    save_x
    mrs     x0, esr_el2
guest_sync_full:
    save_pc
    mov     x1, sp
    bl      trap_sync
guest_return:
    pending_work
    cbz     w1, 1f
    bl      leave_to_guest
1:  ldp     x0, x1, [sp, #REGS_PC]
    msr     elr_el2, x0
    msr     spsr_el2, x1
    restore_x18_and_callee_saved
    restore_caller_saved
    return_to_guest

    .balign 64
guest_irq:
    save_x
    bl      irq_dispatch
    b       light_return

guest_fiq:
    save_x
    save_pc
    mov     x0, sp
    bl      trap_fiq
    b       guest_return

guest_serror:
    save_x
    save_pc
    mrs     x0, esr_el2
    mov     x1, sp
    bl      trap_guest_serror
    b       guest_return

/* ---- exceptions of the hypervisor itself: never returned from ---- */
    .text
el2_sp0:
    mrs     x0, esr_el2
    mrs     x1, far_el2
    adrp    x2, boot_stack_top
    mov     sp, x2
    msr     spsel, #1
    mov     sp, x2
    sub     sp, sp, #REGS_SIZE
    save_x
    save_pc
    mov     x0, sp
    mov     x1, #3
    b       hv_exception
el2_sync:
    save_x
    save_pc
    mov     x0, sp
    mov     x1, #0
    b       hv_exception
el2_irq:
    sub     sp, sp, #REGS_SIZE
    save_x
    save_pc
    mov     x0, sp
    mov     x1, #1
    b       hv_exception
el2_serror:
    sub     sp, sp, #REGS_SIZE
    save_x
    save_pc
    mov     x0, sp
    mov     x1, #2
    b       hv_exception
el2_overflow:
    /* x0 is the stack pointer that went over, sp - x0 the interrupted x0: dump on this CPU's emergency stack. */
    msr     tpidr_el0, x0           /* no guest state matters any more */
    sub     x0, sp, x0
    msr     tpidrro_el0, x1
    mrs     x1, tpidr_el2
    mov     sp, x1
    adrp    x1, emergency_stack_end
    add     x1, x1, :lo12:emergency_stack_end
    add     sp, sp, x1
    mrs     x1, tpidrro_el0
    sub     sp, sp, #REGS_SIZE
    save_x
    save_pc
    mov     x0, sp
    mov     x1, #4
    b       hv_exception

/*
 * struct vcpu *switch_stack(struct vcpu *prev (x0), struct vcpu *next (x1)): returns prev, on next's stack.
 * ELR/SPSR travel with the stack, see the top of this file. The return address is signed there (asm/harden.h;
 * PACIASP and AUTIASP as hints).
 */
    .section .text.hot, "ax"
    .globl switch_stack
switch_stack:
    hint    #25
    sub     sp, sp, #112
    stp     x19, x20, [sp, #0]
    stp     x21, x22, [sp, #16]
    stp     x23, x24, [sp, #32]
    stp     x25, x26, [sp, #48]
    stp     x27, x28, [sp, #64]
    stp     x29, x30, [sp, #80]
    mrs     x2, elr_el2
    mrs     x3, spsr_el2
    stp     x2, x3, [sp, #96]
    mov     x2, sp
    str     x2, [x0, #VCPU_SP]
    ldr     x2, [x1, #VCPU_SP]
    mov     sp, x2
    ldp     x2, x3, [sp, #96]
    msr     elr_el2, x2
    msr     spsr_el2, x3
    ldp     x19, x20, [sp, #0]
    ldp     x21, x22, [sp, #16]
    ldp     x23, x24, [sp, #32]
    ldp     x25, x26, [sp, #48]
    ldp     x27, x28, [sp, #64]
    ldp     x29, x30, [sp, #80]
    add     sp, sp, #112
    hint    #29
    ret

/* First switch to a vCPU: its stack was laid out by arch_stack_start_guest(); x0 = the one before. */
    .globl vcpu_first_return
vcpu_first_return:
    bl      sched_switched
    b       guest_return

/* First switch to a hypervisor thread: x19 = function, x20 = its argument. */
    .globl thread_first_return
thread_first_return:
    bl      sched_switched
    mov     x0, x20
    blr     x19
    bl      thread_exit
    b       .
