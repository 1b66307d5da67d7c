/* Clearing memory and cache maintenance by address (contract in asm/cache.h). */

    .text

/*
 * clear_range(x0 = va, x1 = size). With FEAT_MOPS three instructions do all of it. DC ZVA wants whole
 * blocks: the edges are stored by hand.
 */
    .globl clear_range
    .type clear_range, %function
clear_range:
    mrs     x2, s3_0_c0_c6_2            /* ID_AA64ISAR2_EL1, MOPS in 19:16 */
    tst     x2, #0xf0000
    b.eq    1f
    .inst   0x19df0420                  /* setp [x0]!, x1!, xzr */
    .inst   0x19df4420                  /* setm [x0]!, x1!, xzr */
    .inst   0x19df8420                  /* sete [x0]!, x1!, xzr */
    ret
1:  add     x1, x0, x1                  /* end */
    mrs     x2, dczid_el0
    tbnz    x2, #4, clear_by_store      /* DC ZVA is forbidden */
    and     x2, x2, #0xf
    mov     x3, #4
    lsl     x3, x3, x2                  /* block size */
    sub     x4, x3, #1
    add     x5, x0, x4
    bic     x5, x5, x4                  /* first whole block */
    bic     x6, x1, x4                  /* end of the last one */
    cmp     x5, x6
    b.hs    clear_by_store
    mov     x7, x1
    mov     x1, x5
    mov     x8, x30
    bl      clear_by_store              /* leaves x0 = x5 */
    sub     x9, x6, x0
    lsl     x10, x3, #2
    cmp     x9, x10
    b.lo    3f
    sub     x9, x6, x10                 /* four blocks at a time up to here */
2:  dc      zva, x0
    add     x0, x0, x3
    dc      zva, x0
    add     x0, x0, x3
    dc      zva, x0
    add     x0, x0, x3
    dc      zva, x0
    add     x0, x0, x3
    cmp     x0, x9
    b.ls    2b
    cmp     x0, x6
    b.hs    4f
3:  dc      zva, x0
    add     x0, x0, x3
    cmp     x0, x6
    b.lo    3b
4:  mov     x1, x7
    mov     x30, x8
    /* falls through: the tail */

/* [x0, x1), x0 ends equal to x1. Eight bytes at a time where aligned. */
clear_by_store:
    cmp     x0, x1
    b.hs    7f
    tst     x0, #7
    b.ne    6f
    sub     x9, x1, x0
    cmp     x9, #8
    b.lo    6f
5:  str     xzr, [x0], #8
    sub     x9, x9, #8
    cmp     x9, #8
    b.hs    5b
    b       clear_by_store
6:  strb    wzr, [x0], #1
    b       clear_by_store
7:  ret
    .size clear_range, . - clear_range

    /* One cache operation over every line that [x0, x0+x1) touches, four lines at a time while they last. */
    .macro dcache_by_line op
    cbz     x1, 9f
    mrs     x2, ctr_el0
    ubfx    x2, x2, #16, #4             /* DminLine, words as a power of two */
    mov     x3, #4
    lsl     x2, x3, x2
    add     x1, x0, x1
    sub     x3, x2, #1
    bic     x0, x0, x3
    sub     x4, x1, x0
    lsl     x3, x2, #2
    cmp     x4, x3
    b.lo    8f
    sub     x4, x1, x3                  /* four whole lines begin at or below this */
7:  dc      \op, x0
    add     x0, x0, x2
    dc      \op, x0
    add     x0, x0, x2
    dc      \op, x0
    add     x0, x0, x2
    dc      \op, x0
    add     x0, x0, x2
    cmp     x0, x4
    b.ls    7b
    cmp     x0, x1
    b.hs    9f
8:  dc      \op, x0
    add     x0, x0, x2
    cmp     x0, x1
    b.lo    8b
9:  dsb     sy
    ret
    .endm

    .globl dcache_clean_poc
    .type dcache_clean_poc, %function
dcache_clean_poc:
    dcache_by_line cvac
    .size dcache_clean_poc, . - dcache_clean_poc

    .globl dcache_clean_inval_poc
    .type dcache_clean_inval_poc, %function
dcache_clean_inval_poc:
    dcache_by_line civac
    .size dcache_clean_inval_poc, . - dcache_clean_inval_poc

    .globl dcache_inval_poc
    .type dcache_inval_poc, %function
dcache_inval_poc:
    dcache_by_line ivac
    .size dcache_inval_poc, . - dcache_inval_poc

    .globl icache_inval_all
    .type icache_inval_all, %function
icache_inval_all:
    dsb     ish
    ic      ialluis
    dsb     ish
    isb
    ret
    .size icache_inval_all, . - icache_inval_all
