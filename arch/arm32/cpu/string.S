/*
 * memcpy and memset for arm32: 32 bytes per round by load and store of eight registers. Every access
 * is aligned to a word, so that both also work while the MMU is off.
 */
    .arm
    .section .text.memcpy, "ax"
    .global memcpy, __aeabi_memcpy, __aeabi_memcpy4, __aeabi_memcpy8
    .type memcpy, %function
/*
 * void *memcpy(void *d, const void *s, size_t n)
 *
 * Upwards; each piece is loaded whole before any of it is stored, which memmove() relies on when d < s.
 * r3: where to store, r1: where to load, r2: what is left.
 */
memcpy:
__aeabi_memcpy:
__aeabi_memcpy4:
__aeabi_memcpy8:
    mov     r3, r0
    eor     r12, r0, r1
    tst     r12, #3
    bne     4f                          /* never aligned together */
1:  tst     r3, #3
    beq     2f
    subs    r2, r2, #1
    bxlo    lr
    ldrb    r12, [r1], #1
    strb    r12, [r3], #1
    b       1b
2:  push    {r4-r11}
    subs    r2, r2, #32
    blo     6f
5:  ldm     r1!, {r4-r11}
    subs    r2, r2, #32
    stm     r3!, {r4-r11}
    bhs     5b
6:  add     r2, r2, #32
    pop     {r4-r11}
3:  subs    r2, r2, #4
    ldrhs   r12, [r1], #4
    strhs   r12, [r3], #4
    bhs     3b
    add     r2, r2, #4
4:  subs    r2, r2, #1
    bxlo    lr
    ldrb    r12, [r1], #1
    strb    r12, [r3], #1
    b       4b
    .size memcpy, . - memcpy

/* void copy_page(void *d, const void *s): one page. */
    .section .text.copy_page, "ax"
    .global copy_page
    .type copy_page, %function
copy_page:
    mov     r2, #4096
    b       memcpy
    .size copy_page, . - copy_page

/* void *memset(void *s, int c, size_t n) */
    .section .text.memset, "ax"
    .global memset
    .type memset, %function
memset:
    mov     r3, r0
    and     r1, r1, #0xff               /* the byte, four times */
    orr     r1, r1, r1, lsl #8
    orr     r1, r1, r1, lsl #16
1:  tst     r3, #3
    beq     2f
    subs    r2, r2, #1
    bxlo    lr
    strb    r1, [r3], #1
    b       1b
2:  push    {r4-r10}
    mov     r4, r1
    mov     r5, r1
    mov     r6, r1
    mov     r7, r1
    mov     r8, r1
    mov     r9, r1
    mov     r10, r1
    subs    r2, r2, #32
    blo     6f
5:  subs    r2, r2, #32
    stm     r3!, {r1, r4-r10}
    bhs     5b
6:  add     r2, r2, #32
    pop     {r4-r10}
3:  subs    r2, r2, #4
    strhs   r1, [r3], #4
    bhs     3b
    add     r2, r2, #4
4:  subs    r2, r2, #1
    bxlo    lr
    strb    r1, [r3], #1
    b       4b
    .size memset, . - memset

/* void __aeabi_memclr(void *s, size_t n): what clang calls (run-time ABI, section 4.3.4) */
    .section .text.memclr, "ax"
    .global __aeabi_memclr, __aeabi_memclr4, __aeabi_memclr8
    .type __aeabi_memclr, %function
__aeabi_memclr:
__aeabi_memclr4:
__aeabi_memclr8:
    mov     r2, r1
    mov     r1, #0
    b       memset
    .size __aeabi_memclr, . - __aeabi_memclr
