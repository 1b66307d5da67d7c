/* The SIMD and floating-point registers of a guest: moved whole at a vCPU switch, never used by the hypervisor. */
    .arch_extension fp
    .arch_extension simd

    .macro each_pair insn
    \insn   q0, q1, [x0], #32
    \insn   q2, q3, [x0], #32
    \insn   q4, q5, [x0], #32
    \insn   q6, q7, [x0], #32
    \insn   q8, q9, [x0], #32
    \insn   q10, q11, [x0], #32
    \insn   q12, q13, [x0], #32
    \insn   q14, q15, [x0], #32
    \insn   q16, q17, [x0], #32
    \insn   q18, q19, [x0], #32
    \insn   q20, q21, [x0], #32
    \insn   q22, q23, [x0], #32
    \insn   q24, q25, [x0], #32
    \insn   q26, q27, [x0], #32
    \insn   q28, q29, [x0], #32
    \insn   q30, q31, [x0], #32
    .endm

    .section .text.fpsimd, "ax"
    .balign 16
/* void fpsimd_save(struct fpsimd_state *s) */
    .globl fpsimd_save
fpsimd_save:
    each_pair stp
    mrs     x1, fpsr
    mrs     x2, fpcr
    stp     x1, x2, [x0]
    ret

    .balign 16
/* void fpsimd_load(const struct fpsimd_state *s) */
    .globl fpsimd_load
fpsimd_load:
    each_pair ldp
    ldp     x1, x2, [x0]
    msr     fpsr, x1
    msr     fpcr, x2
    ret
