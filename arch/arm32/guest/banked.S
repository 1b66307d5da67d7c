/* The registers of a guest's modes, and its floating-point registers: moved at a vCPU switch. */
    .arch_extension virt
    .fpu    neon
    .arm
    .section .text.banked, "ax"

    .macro  save_mode mode
    mrs     r1, sp_\mode
    mrs     r2, lr_\mode
    mrs     r3, spsr_\mode
    stm     r0!, {r1-r3}
    .endm
    .macro  load_mode mode
    ldm     r0!, {r1-r3}
    msr     sp_\mode, r1
    msr     lr_\mode, r2
    msr     spsr_\mode, r3
    .endm

/* void banked_save(struct banked_regs *b) */
    .globl banked_save
banked_save:
    mrs     r1, sp_usr
    str     r1, [r0], #4
    save_mode svc
    save_mode abt
    save_mode und
    save_mode irq
    save_mode fiq
    mrs     r1, r8_fiq
    mrs     r2, r9_fiq
    mrs     r3, r10_fiq
    stm     r0!, {r1-r3}
    mrs     r1, r11_fiq
    mrs     r2, r12_fiq
    stm     r0, {r1-r2}
    bx      lr

/* void banked_load(const struct banked_regs *b) */
    .globl banked_load
banked_load:
    ldr     r1, [r0], #4
    msr     sp_usr, r1
    load_mode svc
    load_mode abt
    load_mode und
    load_mode irq
    load_mode fiq
    ldm     r0!, {r1-r3}
    msr     r8_fiq, r1
    msr     r9_fiq, r2
    msr     r10_fiq, r3
    ldm     r0, {r1-r2}
    msr     r11_fiq, r1
    msr     r12_fiq, r2
    bx      lr

/* void vfp_save(struct fpsimd_state *s, bool all_32): the guest may have it off */
    .globl vfp_save
vfp_save:
    vmrs    r2, fpexc
    orr     r3, r2, #(1 << 30)
    vmsr    fpexc, r3
    vstm    r0!, {d0-d15}
    cmp     r1, #0
    vstmne  r0, {d16-d31}
    add     r0, r0, #128
    vmrs    r3, fpscr
    str     r3, [r0]
    str     r2, [r0, #4]
    bx      lr

/* void vfp_load(const struct fpsimd_state *s, bool all_32) */
    .globl vfp_load
vfp_load:
    mov     r3, #(1 << 30)
    vmsr    fpexc, r3
    vldm    r0!, {d0-d15}
    cmp     r1, #0
    vldmne  r0, {d16-d31}
    add     r0, r0, #128
    ldr     r3, [r0]
    vmsr    fpscr, r3
    ldr     r3, [r0, #4]
    vmsr    fpexc, r3
    bx      lr
