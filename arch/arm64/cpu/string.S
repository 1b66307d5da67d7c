/*
 * memcpy and memset for arm64: 128 bytes per round by pairs of general registers (they need not be
 * kept), 0.14 instructions per byte copied. Every access is aligned to its size, so that both
 * also work while the MMU is off. Both change only x2..x17.
 */
    .text

/*
 * void *memcpy(void *d, const void *s, size_t n)
 *
 * Upwards; each piece is loaded whole before any of it is stored, which memmove() relies on when d < s.
 * x3: where to store, x1: where to load, x2: what is left.
 */
    .section .text.memcpy, "ax"
    .balign 64
    .global memcpy
    .type memcpy, %function
memcpy:
    mov     x3, x0
    orr     x4, x0, x1
    tst     x4, #7
    b.ne    .Lcopy_unaligned
    cmp     x2, #128
    b.hs    .Lcopy_head
    b       4f
.Lcopy_unaligned:
    cmp     x2, #16
    b.lo    .Lcopy_bytes
    eor     x4, x0, x1
    tst     x4, #7
    b.ne    .Lcopy_shifted

.Lcopy_head:                        /* up to a destination (and so a source) of whole words */
    tst     x3, #7
    b.eq    1f
    ldrb    w4, [x1], #1
    strb    w4, [x3], #1
    sub     x2, x2, #1
    b       .Lcopy_head

1:  subs    x2, x2, #128
    b.lo    3f
    .balign 16
2:  ldp     x4, x5, [x1], #128
    ldp     x6, x7, [x1, #16 - 128]
    ldp     x8, x9, [x1, #32 - 128]
    ldp     x10, x11, [x1, #48 - 128]
    stp     x4, x5, [x3], #128
    stp     x6, x7, [x3, #16 - 128]
    stp     x8, x9, [x3, #32 - 128]
    stp     x10, x11, [x3, #48 - 128]
    ldp     x4, x5, [x1, #64 - 128]
    ldp     x6, x7, [x1, #80 - 128]
    ldp     x8, x9, [x1, #96 - 128]
    ldp     x10, x11, [x1, #112 - 128]
    stp     x4, x5, [x3, #64 - 128]
    stp     x6, x7, [x3, #80 - 128]
    stp     x8, x9, [x3, #96 - 128]
    stp     x10, x11, [x3, #112 - 128]
    subs    x2, x2, #128
    b.hs    2b
3:  add     x2, x2, #128

4:  subs    x2, x2, #16
    b.lo    5f
    ldp     x4, x5, [x1], #16
    stp     x4, x5, [x3], #16
    b       4b
5:  tbz     x2, #3, 5f              /* 16 less than what is left: the low four bits are the same */
    ldr     x4, [x1], #8
    str     x4, [x3], #8
5:  tbz     x2, #2, 5f
    ldr     w4, [x1], #4
    str     w4, [x3], #4
5:  tbz     x2, #1, 5f
    ldrh    w4, [x1], #2
    strh    w4, [x3], #2
5:  tbz     x2, #0, 5f
    ldrb    w4, [x1]
    strb    w4, [x3]
5:  ret

.Lcopy_bytes:
    cbz     x2, 6f
    ldrb    w4, [x1], #1
    strb    w4, [x3], #1
    sub     x2, x2, #1
    b       .Lcopy_bytes
6:  ret

/*
 * Source and destination differ in alignment: the destination is stored in words that are put together from
 * two neighbouring words of the source. No word is loaded that has no byte of the source.
 */
.Lcopy_shifted:
    tst     x3, #7
    b.eq    1f
    ldrb    w4, [x1], #1
    strb    w4, [x3], #1
    sub     x2, x2, #1
    b       .Lcopy_shifted
1:  and     x9, x1, #7              /* 1..7 bytes of the first word are not ours */
    cmp     x2, #16
    b.lo    .Lcopy_bytes
    lsl     x6, x9, #3              /* shift of the lower word, in bits */
    neg     x7, x6                  /* and of the upper one: 64 - x6, as shifts count modulo 64 */
    bic     x8, x1, #7
    ldr     x4, [x8], #8
2:  ldr     x5, [x8], #8            /* its first byte is among the next eight */
    lsr     x4, x4, x6
    lsl     x10, x5, x7
    orr     x4, x4, x10
    str     x4, [x3], #8
    mov     x4, x5
    sub     x2, x2, #8
    cmp     x2, #8
    b.hs    2b
    add     x1, x9, x8
    sub     x1, x1, #8
    b       .Lcopy_bytes
    .size memcpy, . - memcpy

/*
 * void copy_page(void *d, const void *s): one page, by SIMD registers. They are the guest's, so they are kept
 * on the stack meanwhile.
 */
    .arch_extension fp
    .arch_extension simd
    .section .text.copy_page, "ax"
    .balign 64
    .global copy_page
    .type copy_page, %function
copy_page:
    stp     q0, q1, [sp, #-128]!
    stp     q2, q3, [sp, #32]
    stp     q4, q5, [sp, #64]
    stp     q6, q7, [sp, #96]
    add     x2, x1, #4096
1:  ldp     q0, q1, [x1], #128
    ldp     q2, q3, [x1, #32 - 128]
    ldp     q4, q5, [x1, #64 - 128]
    ldp     q6, q7, [x1, #96 - 128]
    stp     q0, q1, [x0], #128
    stp     q2, q3, [x0, #32 - 128]
    stp     q4, q5, [x0, #64 - 128]
    stp     q6, q7, [x0, #96 - 128]
    cmp     x1, x2
    b.ne    1b
    ldp     q2, q3, [sp, #32]
    ldp     q4, q5, [sp, #64]
    ldp     q6, q7, [sp, #96]
    ldp     q0, q1, [sp], #128
    ret
    .size copy_page, . - copy_page
    .arch_extension nofp

/* void *memset(void *s, int c, size_t n) */
    .section .text.memset, "ax"
    .balign 64
    .global memset
    .type memset, %function
memset:
    mov     x3, x0
    and     x1, x1, #0xff           /* the byte, eight times */
    orr     x1, x1, x1, lsl #8
    orr     x1, x1, x1, lsl #16
    orr     x1, x1, x1, lsl #32
    cmp     x2, #16
    b.lo    .Lset_bytes
.Lset_head:
    tst     x3, #7
    b.eq    1f
    strb    w1, [x3], #1
    sub     x2, x2, #1
    b       .Lset_head

1:  subs    x2, x2, #128
    b.lo    3f
    .balign 16
2:  stp     x1, x1, [x3]
    stp     x1, x1, [x3, #16]
    stp     x1, x1, [x3, #32]
    stp     x1, x1, [x3, #48]
    stp     x1, x1, [x3, #64]
    stp     x1, x1, [x3, #80]
    stp     x1, x1, [x3, #96]
    stp     x1, x1, [x3, #112]
    add     x3, x3, #128
    subs    x2, x2, #128
    b.hs    2b
3:  add     x2, x2, #128

4:  subs    x2, x2, #16
    b.lo    5f
    stp     x1, x1, [x3], #16
    b       4b
5:  add     x2, x2, #16

.Lset_bytes:
    cbz     x2, 6f
    strb    w1, [x3], #1
    sub     x2, x2, #1
    b       .Lset_bytes
6:  ret
    .size memset, . - memset
