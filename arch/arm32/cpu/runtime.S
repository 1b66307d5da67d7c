/*
 * Arithmetic on 64 bits, which the compiler calls by these names (Arm's run-time ABI, section 4.2). Division: quotient
 * in r0:r1, remainder in r2:r3. A divisor of 0 gives the quotient with all bits set.
 */
    .arm
    .text

    .globl __aeabi_uldivmod
    .type __aeabi_uldivmod, %function
__aeabi_uldivmod:
    cmp     r1, #0
    cmpeq   r3, #0
    bne     1f
    udiv    r12, r0, r2                 /* both fit in 32 bits */
    mls     r2, r12, r2, r0
    mov     r0, r12
    bx      lr
1:  push    {r4-r8, lr}
    mov     r4, r0                      /* r4:r5 what is left of the dividend, then the quotient */
    mov     r5, r1
    mov     r6, #0                      /* r6:r7 the remainder */
    mov     r7, #0
    mov     r8, #64
2:  adds    r4, r4, r4
    adcs    r5, r5, r5
    adcs    r6, r6, r6
    adcs    r7, r7, r7
    bcs     3f
    cmp     r7, r3
    cmpeq   r6, r2
    blo     4f
3:  subs    r6, r6, r2
    sbc     r7, r7, r3
    add     r4, r4, #1
4:  subs    r8, r8, #1
    bne     2b
    mov     r0, r4
    mov     r1, r5
    mov     r2, r6
    mov     r3, r7
    pop     {r4-r8, pc}
    .size __aeabi_uldivmod, . - __aeabi_uldivmod

/* Quotient towards zero, remainder with the dividend's sign. */
    .globl __aeabi_ldivmod
    .type __aeabi_ldivmod, %function
__aeabi_ldivmod:
    push    {r4, r5, lr}
    mov     r4, r1                      /* sign of the dividend, and of the quotient */
    eor     r5, r1, r3
    cmp     r1, #0
    bge     1f
    rsbs    r0, r0, #0
    rsc     r1, r1, #0
1:  cmp     r3, #0
    bge     2f
    rsbs    r2, r2, #0
    rsc     r3, r3, #0
2:  sub     sp, sp, #4
    bl      __aeabi_uldivmod
    add     sp, sp, #4
    cmp     r5, #0
    bge     3f
    rsbs    r0, r0, #0
    rsc     r1, r1, #0
3:  cmp     r4, #0
    bge     4f
    rsbs    r2, r2, #0
    rsc     r3, r3, #0
4:  pop     {r4, r5, pc}
    .size __aeabi_ldivmod, . - __aeabi_ldivmod

/* Number of zeros below the lowest bit that is set. */
    .globl __ctzdi2
    .type __ctzdi2, %function
__ctzdi2:
    cmp     r0, #0
    moveq   r0, r1
    moveq   r2, #32
    movne   r2, #0
    rbit    r0, r0
    clz     r0, r0
    add     r0, r0, r2
    bx      lr
    .size __ctzdi2, . - __ctzdi2
