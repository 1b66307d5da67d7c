/*
 * First instructions: Linux arm64 Image header, MMU on, jump to the link address. Everything up to
 * the jump is position independent; the image may lie at any 4 KiB-aligned address.
 *
 * Two roots: boot_l0 holds the identity map of the switching code and the image; hv_root is the
 * one the hypervisor lives on (no identity map). They share the image's lower tables.
 */
#include <asm/layout.h>
#include <asm/memattr.h>
#include <asm/offsets.h>

#define TCR_EL2_VALUE ((16 << 0) | (1 << 8) | (1 << 10) | (3 << 12) | (1 << 23) | (1 << 31))
/* RES1 bits, M, C, I, SA, WXN: writable is never executable. */
#define SCTLR_EL2_VALUE (0x30c50830 | (1 << 0) | (1 << 2) | (1 << 12) | (1 << 3) | (1 << 19))
#define SCTLR_EL2_OFF 0x30c50830

/* Descriptors: valid + table/page, AF, inner shareable, attribute index, AP[2:1] (bit 6 is RES1 at EL2). */
#define PTE_BASE (3 | (1 << 10) | (3 << 8) | (MATTR_NORMAL_WB << 2) | (1 << 6))
#define PTE_RO (1 << 7)
#define PTE_XN (1 << 54)
#define PTE_GP (1 << 50) /* indirect branches end at landing pads only (FEAT_BTI) */
#define LANDING_PAD hint #36 /* BTI j, in a form that every assembler knows */
#define BLOCK_RX ((PTE_BASE & ~2) | PTE_RO)

    .section .head, "ax"
    .globl _start
_start:
    b       primary_entry
    .long   0
    .quad   0                       /* text_offset: where it was loaded is fine */
    .quad   _image_size_le          /* includes BSS */
    .quad   0xa                     /* little endian, 4K pages, anywhere in RAM */
    .quad   0, 0, 0
    .ascii  "ARM\x64"
    .long   0

primary_entry:
    msr     daifset, #0xf
    mov     x19, x0                 /* device tree, physical */
    mrs     x0, CurrentEL
    cmp     x0, #(2 << 2)
    b.ne    wrong_el

    bl      cpu_reset_sysregs
    bl      drop_boot_tables_from_caches
    bl      make_boot_tables
    bl      drop_boot_tables_from_caches
    adrp    x0, boot_l0
    ldr     x30, =primary_mapped
    b       mmu_on

/* A CPU released from a spin-table brings no argument. */
    .globl spin_table_entry
spin_table_entry:
    mov     x0, xzr
/* PSCI CPU_ON enters here with the MMU off; x0 = struct boot_cpu (virtual), filled by the boot CPU. */
    .globl secondary_entry
secondary_entry:
    msr     daifset, #0xf
    mov     x19, x0
    bl      cpu_reset_sysregs
    adrp    x0, boot_l0
    ldr     x30, =secondary_mapped
    /* falls through */

/* x0 = root (physical), x30 = virtual address to go on at. */
mmu_on:
    ldr     x1, =MAIR_EL2_VALUE
    msr     mair_el2, x1
    ldr     x1, =TCR_EL2_VALUE
    mrs     x2, id_aa64mmfr0_el1
    and     x2, x2, #0xf
    mov     x3, #5                  /* 48 bits at most: 52 needs another descriptor format */
    cmp     x2, x3
    csel    x2, x2, x3, lo
    orr     x1, x1, x2, lsl #16
    msr     tcr_el2, x1
    msr     ttbr0_el2, x0
    isb
    tlbi    alle2
    ic      iallu
    dsb     nsh
    isb
    ldr     x1, =SCTLR_EL2_VALUE
    msr     sctlr_el2, x1
    isb
    /* On the link address from here; leave the identity map. */
    adrp    x0, hv_l0_pa_anchor     /* still the physical view of adrp */
    add     x0, x0, :lo12:hv_l0_pa_anchor
    br      x30
hv_l0_pa_anchor:
    .quad   0
    .ltorg

/* Entry state differs between loaders (leftovers in TCR, CPTR, HCR): set what matters before using it. */
cpu_reset_sysregs:
    mov     x0, #(1 << 31)          /* HCR_EL2.RW, no guest features yet; E2H off changes what follows */
    msr     hcr_el2, x0
    isb
    ldr     x0, =SCTLR_EL2_OFF
    msr     sctlr_el2, x0
    mov     x0, #0x33ff             /* CPTR_EL2: trap nothing of ours but SVE, SME */
    msr     cptr_el2, x0
    msr     vttbr_el2, xzr
    msr     cntvoff_el2, xzr
    msr     mdcr_el2, xzr
    msr     hstr_el2, xzr
    msr     spsel, #1
    isb
    ret

/* The tables are written uncached: no stale line may hide or overwrite them. */
drop_boot_tables_from_caches:
    adrp    x0, boot_tables
    adrp    x1, boot_tables_end
    mrs     x2, ctr_el0
    ubfx    x2, x2, #16, #4
    mov     x3, #4
    lsl     x2, x3, x2
    dmb     sy
1:  dc      ivac, x0
    add     x0, x0, x2
    cmp     x0, x1
    b.lo    1b
    dsb     sy
    ret

make_boot_tables:
    adrp    x0, boot_tables
    adrp    x1, boot_tables_end
1:  stp     xzr, xzr, [x0], #16
    cmp     x0, x1
    b.lo    1b

    /* boot_l0 and hv_root: image slot -> img_l1 -> img_l2 -> img_l3 */
    adrp    x0, img_l1
    orr     x0, x0, #3
    ldr     x2, =(HV_IMAGE_VA >> 39) & 0x1ff
    adrp    x1, boot_l0
    str     x0, [x1, x2, lsl #3]
    adrp    x1, hv_root
    str     x0, [x1, x2, lsl #3]
    adrp    x1, img_l1
    adrp    x0, img_l2
    orr     x0, x0, #3
    str     x0, [x1]                /* HV_IMAGE_VA is aligned to its L0 slot */
    adrp    x1, img_l2
    adrp    x0, img_l3
    orr     x0, x0, #3
    str     x0, [x1]

    /* hv_root: vmap slot -> vmap_l1 -> vmap_l2, filled by C */
    adrp    x0, vmap_l1
    orr     x0, x0, #3
    ldr     x2, =(VMAP_START >> 39) & 0x1ff
    adrp    x1, hv_root
    str     x0, [x1, x2, lsl #3]
    adrp    x1, vmap_l1
    adrp    x0, vmap_l2
    orr     x0, x0, #3
    str     x0, [x1]

    /* img_l3: text RX, rodata RO, data and bss RW; the guard below the boot stack stays empty */
    adrp    x0, _start
    adrp    x4, img_l3
    adrp    x1, _etext
    ldr     x3, =PTE_BASE | PTE_RO
    mrs     x5, S3_0_C0_C4_1        /* ID_AA64PFR1_EL1.BT */
    tst     x5, #0xf
    orr     x5, x3, #PTE_GP
    csel    x3, x3, x5, eq
    mov     x12, x30
    bl      map_pages
    adrp    x1, _erodata
    ldr     x3, =PTE_BASE | PTE_RO | PTE_XN
    bl      map_pages
    adrp    x1, boot_stack_guard
    ldr     x3, =PTE_BASE | PTE_XN
    bl      map_pages
    adrp    x2, boot_stack_base
    sub     x5, x2, x0
    lsr     x5, x5, #9              /* 8 bytes of descriptor per 4096 */
    add     x4, x4, x5
    mov     x0, x2
    adrp    x1, _end
    bl      map_pages
    mov     x30, x12

    /* identity: one 2 MiB block RX around the switching code */
    adrp    x0, mmu_on
    lsr     x1, x0, #39
    and     x1, x1, #0x1ff
    adrp    x2, id_l1
    orr     x3, x2, #3
    adrp    x4, boot_l0
    str     x3, [x4, x1, lsl #3]
    ubfx    x1, x0, #30, #9
    adrp    x4, id_l2
    orr     x3, x4, #3
    str     x3, [x2, x1, lsl #3]
    ubfx    x1, x0, #21, #9
    and     x0, x0, #~0x1fffff
    ldr     x3, =BLOCK_RX
    orr     x0, x0, x3
    str     x0, [x4, x1, lsl #3]
    ret

/* [x0, x1) with attributes x3 into descriptors at x4; x0 and x4 move on. */
map_pages:
    cmp     x0, x1
    b.hs    2f
1:  orr     x5, x0, x3
    str     x5, [x4], #8
    add     x0, x0, #4096
    cmp     x0, x1
    b.lo    1b
2:  ret
    .ltorg

/* On the link address, still on boot_l0. */
primary_mapped:
    LANDING_PAD
    adrp    x1, boot_stack_top
    mov     sp, x1
    mov     x29, xzr
    mov     x30, xzr

    adrp    x1, _bss_start
    adrp    x2, _bss_end
1:  stp     xzr, xzr, [x1], #16
    cmp     x1, x2
    b.lo    1b

    /* x0 = physical address of hv_l0_pa_anchor gives the load offset */
    adrp    x1, hv_l0_pa_anchor
    add     x1, x1, :lo12:hv_l0_pa_anchor
    sub     x1, x1, x0              /* virtual - physical */
    ldr     x2, =HV_IMAGE_VA
    sub     x2, x2, x1
    adrp    x3, hv_image_pa
    str     x2, [x3, :lo12:hv_image_pa]
    adrp    x3, hv_root
    sub     x0, x3, x1
    bl      use_hv_tables
    adrp    x1, hv_vectors
    add     x1, x1, :lo12:hv_vectors
    msr     vbar_el2, x1
    msr     tpidr_el2, xzr          /* CPU 0 uses section percpu_data itself */
    isb
    mov     x0, x19
    bl      hv_main
    b       .

secondary_mapped:
    LANDING_PAD
    cbnz    x19, 2f
    /* From a spin-table. One that was given up and comes late finds another's, and stays here. */
    adrp    x1, spin_table_boot_cpu
    ldr     x19, [x1, :lo12:spin_table_boot_cpu]
    ldr     x1, [x19, #BOOT_CPU_MPIDR]
    mrs     x2, mpidr_el1
    and     x2, x2, #0xffffffffff   /* Aff3..Aff0, without bits 31:24 */
    and     x2, x2, #~(0xff << 24)
    cmp     x1, x2
    b.eq    2f
1:  wfe
    b       1b
2:  ldr     x1, [x19, #BOOT_CPU_SP]
    mov     sp, x1
    mov     x29, xzr
    adrp    x1, hv_l0_pa_anchor
    add     x1, x1, :lo12:hv_l0_pa_anchor
    sub     x1, x1, x0
    adrp    x3, hv_root
    sub     x0, x3, x1
    bl      use_hv_tables
    adrp    x1, hv_vectors
    add     x1, x1, :lo12:hv_vectors
    msr     vbar_el2, x1
    ldr     x1, [x19, #BOOT_CPU_PERCPU]
    msr     tpidr_el2, x1
    isb
    ldr     x0, [x19, #BOOT_CPU_ID]
    mov     x30, xzr
    bl      secondary_main
    b       .

use_hv_tables:
    msr     ttbr0_el2, x0
    isb
    tlbi    alle2
    dsb     nsh
    isb
    ret
    .ltorg

/* EL1 or EL3, MMU off: C code that only uses what adrp reaches says so on the stdout-path UART. */
wrong_el:
    lsr     x1, x0, #2
    mov     x0, x19
    adrp    x2, boot_stack_top
    mov     sp, x2
    bl      boot_wrong_el
1:  wfe
    b       1b

    .section .boottables, "aw", %nobits
    .balign 4096
    .globl hv_root
    .globl vmap_l2
boot_tables:
boot_l0:    .skip 4096
hv_root:      .skip 4096
id_l1:      .skip 4096
id_l2:      .skip 4096
img_l1:     .skip 4096
img_l2:     .skip 4096
img_l3:     .skip 4096
vmap_l1:    .skip 4096
vmap_l2:    .skip 4096
boot_tables_end:
