/* Clearing memory and cache maintenance by address (contract in asm/cache.h). */
    .arm
    .text

/* clear_range(r0 = va, r1 = size) */
    .globl clear_range
    .type clear_range, %function
clear_range:
    mov     r2, r1
    mov     r1, #0
    b       memset
    .size clear_range, . - clear_range

    /* One cache operation over every line that [r0, r0+r1) touches. */
    .macro dcache_by_line crm
    cmp     r1, #0
    beq     2f
    mrc     p15, 0, r2, c0, c0, 1       /* CTR.DminLine, words as a power of two */
    ubfx    r2, r2, #16, #4
    mov     r3, #4
    lsl     r2, r3, r2
    add     r1, r0, r1
    sub     r3, r2, #1
    bic     r0, r0, r3
1:  mcr     p15, 0, r0, c7, \crm, 1
    add     r0, r0, r2
    cmp     r0, r1
    blo     1b
2:  dsb     sy
    bx      lr
    .endm

    .globl dcache_clean_poc
    .type dcache_clean_poc, %function
dcache_clean_poc:
    dcache_by_line c10                  /* DCCMVAC */
    .size dcache_clean_poc, . - dcache_clean_poc

    .globl dcache_clean_inval_poc
    .type dcache_clean_inval_poc, %function
dcache_clean_inval_poc:
    dcache_by_line c14                  /* DCCIMVAC */
    .size dcache_clean_inval_poc, . - dcache_clean_inval_poc

    .globl dcache_inval_poc
    .type dcache_inval_poc, %function
dcache_inval_poc:
    dcache_by_line c6                   /* DCIMVAC */
    .size dcache_inval_poc, . - dcache_inval_poc

    .globl icache_inval_all
    .type icache_inval_all, %function
icache_inval_all:
    mov     r0, #0
    dsb     ish
    mcr     p15, 0, r0, c7, c1, 0       /* ICIALLUIS */
    mcr     p15, 0, r0, c7, c1, 6       /* BPIALLIS */
    dsb     ish
    isb
    bx      lr
    .size icache_inval_all, . - icache_inval_all
