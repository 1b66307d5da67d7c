/*
 * First instructions: Linux zImage header, MMU on, jump to the link address. Everything up to the
 * jump is position independent; the image may lie at any 4 KiB-aligned address below 4 GiB but in
 * the 2 MiB of HV_IMAGE_VA.
 *
 * Two roots: boot_l1 holds the identity map of the switching code and the image; hv_root is the one
 * the hypervisor lives on (no identity map). They share the image's last table.
 */
#include <asm/layout.h>
#include <asm/memattr.h>
#include <asm/offsets.h>

    .arch_extension virt

/* T0SZ 0, walks inner shareable write-back. */
#define HTCR_VALUE 0x80803500
/* Bits that are one, M, C, I, WXN: writable is never executable. */
#define HSCTLR_VALUE (0x30c50830 | (1 << 0) | (1 << 2) | (1 << 12) | (1 << 19))
#define HSCTLR_OFF 0x30c50830

/* Lower half of a descriptor: valid + table/page, AF, inner shareable, attribute index, AP[1]. */
#define PTE_BASE (3 | (1 << 10) | (3 << 8) | (MATTR_NORMAL_WB << 2) | (1 << 6))
#define PTE_RO (1 << 7)
#define BLOCK_RX ((PTE_BASE & ~2) | PTE_RO)
/* Upper half. */
#define PTE_XN_HIGH (1 << 22)

    /* \reg = physical address of a symbol: r9 is what to add to a link address */
    .macro phys reg, symbol
    ldr     \reg, =\symbol
    add     \reg, \reg, r9
    .endm

    .section .head, "ax"
    .arm
    .globl _start
_start:
    .rept   8
    nop
    .endr
    b       primary_entry
    .word   0x016f2818              /* zImage: magic, */
    .word   0                       /* start: anywhere, */
    .word   _image_size_le          /* end: includes BSS */

primary_entry:
    cpsid   aif
    mov     r10, r2                 /* device tree, physical */
    adr     r9, _start
    ldr     r0, =HV_IMAGE_VA
    sub     r9, r9, r0
    mrs     r0, cpsr
    and     r0, r0, #0x1f
    cmp     r0, #0x1a
    bne     wrong_mode

    bl      reset_hyp
    bl      drop_boot_tables_from_caches
    bl      make_boot_tables
    bl      drop_boot_tables_from_caches
    ldr     lr, =primary_mapped
    b       mmu_on

/* PSCI CPU_ON enters here with the MMU off; r0 = struct boot_cpu (virtual), filled by the boot CPU. */
    .globl secondary_entry
secondary_entry:
    cpsid   aif
    mov     r10, r0
    adr     r9, _start
    ldr     r0, =HV_IMAGE_VA
    sub     r9, r9, r0
    bl      reset_hyp
    ldr     lr, =secondary_mapped
    /* falls through */

/* lr = virtual address to go on at. */
mmu_on:
    phys    r0, boot_l1
    mov     r1, #0
    ldr     r2, =MAIR_EL2_VALUE
    mcr     p15, 4, r2, c10, c2, 0  /* HMAIR0 */
    ldr     r2, =HTCR_VALUE
    mcr     p15, 4, r2, c2, c0, 2
    mcrr    p15, 4, r0, r1, c2      /* HTTBR */
    isb
    mcr     p15, 4, r1, c8, c7, 0   /* TLBIALLH */
    mcr     p15, 0, r1, c7, c5, 0   /* ICIALLU */
    mcr     p15, 0, r1, c7, c5, 6   /* BPIALL */
    dsb     nsh
    isb
    ldr     r2, =HSCTLR_VALUE
    mcr     p15, 4, r2, c1, c0, 0
    isb
    bx      lr                      /* on the link address from here; leave the identity map */
    .ltorg

/* Entry state differs between loaders: set what matters before using it. */
reset_hyp:
    mov     r1, #0
    ldr     r0, =HSCTLR_OFF
    mcr     p15, 4, r0, c1, c0, 0
    mcr     p15, 4, r1, c1, c1, 0   /* HCR */
    ldr     r0, =0x33ff
    mcr     p15, 4, r0, c1, c1, 2   /* HCPTR */
    mcr     p15, 4, r1, c1, c1, 3   /* HSTR */
    mrc     p15, 4, r0, c1, c1, 1   /* HDCR: HPMN stays */
    and     r0, r0, #0x1f
    mcr     p15, 4, r0, c1, c1, 1
    mcrr    p15, 6, r1, r1, c2      /* VTTBR */
    mcrr    p15, 4, r1, r1, c14     /* CNTVOFF */
    isb
    bx      lr

/* The tables are written uncached: no stale line may hide or overwrite them. */
drop_boot_tables_from_caches:
    phys    r0, boot_tables
    phys    r1, boot_tables_end
    mrc     p15, 0, r2, c0, c0, 1   /* CTR.DminLine */
    ubfx    r2, r2, #16, #4
    mov     r3, #4
    lsl     r2, r3, r2
    dmb     sy
1:  mcr     p15, 0, r0, c7, c6, 1   /* DCIMVAC */
    add     r0, r0, r2
    cmp     r0, r1
    blo     1b
    dsb     sy
    bx      lr

/* [r0 + r2 * 8] = table at r1 */
link_table:
    orr     r1, r1, #3
    add     r3, r0, r2, lsl #3
    str     r1, [r3]
    bx      lr

make_boot_tables:
    mov     r12, lr
    phys    r0, boot_tables
    phys    r1, boot_tables_end
    mov     r2, #0
    mov     r3, #0
1:  strd    r2, r3, [r0], #8
    cmp     r0, r1
    blo     1b

    /* hv_root -> vmap_l2 -> img_l3 and the two tables of windows; boot_l1 -> boot_l2 -> img_l3 */
    phys    r0, hv_root
    phys    r1, vmap_l2
    mov     r2, #(VMAP_START >> 30)
    bl      link_table
    phys    r0, vmap_l2
    phys    r1, img_l3
    ldr     r2, =((HV_IMAGE_VA >> 21) & 0x1ff)
    bl      link_table
    phys    r0, vmap_l2
    phys    r1, mapwin_ptes
    ldr     r2, =((MAPWIN_VA >> 21) & 0x1ff)
    bl      link_table
    phys    r0, vmap_l2
    phys    r1, mapwin_ptes
    add     r1, r1, #4096
    ldr     r2, =(((MAPWIN_VA >> 21) & 0x1ff) + 1)
    bl      link_table
    phys    r0, boot_l1
    phys    r1, boot_l2
    mov     r2, #(HV_IMAGE_VA >> 30)
    bl      link_table
    phys    r0, boot_l2
    phys    r1, img_l3
    ldr     r2, =((HV_IMAGE_VA >> 21) & 0x1ff)
    bl      link_table

    /* identity: one 2 MiB block RX around the switching code, in boot_l2 when it is in the same GiB */
    adr     r5, mmu_on
    lsr     r2, r5, #30
    phys    r0, boot_l1
    phys    r6, boot_l2
    cmp     r2, #(HV_IMAGE_VA >> 30)
    beq     1f
    phys    r6, id_l2
    mov     r1, r6
    bl      link_table
1:  ubfx    r2, r5, #21, #9
    lsr     r5, r5, #21
    lsl     r5, r5, #21
    ldr     r1, =BLOCK_RX
    orr     r5, r5, r1
    add     r3, r6, r2, lsl #3
    str     r5, [r3]

    /* img_l3: text RX, rodata RO, data and bss RW; the guard below the boot stack stays empty */
    phys    r0, _start
    phys    r4, img_l3
    phys    r1, _etext
    ldr     r2, =(PTE_BASE | PTE_RO)
    mov     r3, #0
    bl      map_pages
    phys    r1, _erodata
    mov     r3, #PTE_XN_HIGH
    bl      map_pages
    phys    r1, boot_stack_guard
    ldr     r2, =PTE_BASE
    bl      map_pages
    phys    r1, boot_stack_base
    sub     r5, r1, r0
    add     r4, r4, r5, lsr #9      /* 8 bytes of descriptor per 4096 */
    mov     r0, r1
    phys    r1, _end
    bl      map_pages
    bx      r12

/* [r0, r1) with attributes r2 (low) and r3 (high) into descriptors at r4; r0 and r4 move on. */
map_pages:
    cmp     r0, r1
    bxhs    lr
    orr     r5, r0, r2
    str     r5, [r4], #4
    str     r3, [r4], #4
    add     r0, r0, #4096
    b       map_pages
    .ltorg

/* On the link address, still on boot_l1. r9 = physical - virtual. */
primary_mapped:
    ldr     sp, =boot_stack_top
    mov     r11, #0
    mov     lr, #0
    ldr     r0, =_bss_start
    ldr     r1, =_bss_end
    mov     r2, #0
    mov     r3, #0
1:  strd    r2, r3, [r0], #8
    cmp     r0, r1
    blo     1b

    ldr     r0, =hv_image_pa
    ldr     r2, =HV_IMAGE_VA
    add     r2, r2, r9
    strd    r2, r3, [r0]
    lsr     r2, r2, #30             /* the direct map is the GiB that the image lies in */
    lsl     r2, r2, #30
    ldr     r0, =directmap_pa
    strd    r2, r3, [r0]
    bl      use_hv_tables
    mov     r0, #0
    mcr     p15, 4, r0, c13, c0, 2  /* HTPIDR: CPU 0 uses section percpu_data itself */
    mov     r0, r10
    mov     r1, #0
    bl      hv_main
    b       .

secondary_mapped:
    ldr     sp, [r10, #BOOT_CPU_SP]
    mov     r11, #0
    bl      use_hv_tables
    ldr     r1, [r10, #BOOT_CPU_PERCPU]
    mcr     p15, 4, r1, c13, c0, 2
    ldr     r0, [r10, #BOOT_CPU_ID]
    mov     lr, #0
    bl      secondary_main
    b       .

use_hv_tables:
    phys    r0, hv_root
    mov     r1, #0
    mcrr    p15, 4, r0, r1, c2
    isb
    mcr     p15, 4, r1, c8, c7, 0
    ldr     r0, =hv_vectors
    mcr     p15, 4, r0, c12, c0, 0  /* HVBAR */
    dsb     nsh
    isb
    bx      lr
    .ltorg

/* Our tables, which PL1 with long descriptors can use as well, for a line on the console. */
wrong_mode:
    mrc     p15, 0, r0, c0, c1, 4   /* ID_MMFR0.VMSA */
    and     r0, r0, #0xf
    cmp     r0, #5
    blo     stop
    bl      drop_boot_tables_from_caches
    bl      make_boot_tables
    bl      drop_boot_tables_from_caches
    phys    r0, boot_l1
    mov     r1, #0
    ldr     r2, =MAIR_EL2_VALUE
    mcr     p15, 0, r2, c10, c2, 0  /* MAIR0 */
    ldr     r2, =HTCR_VALUE         /* its RES1 are EAE and EPD1 here */
    mcr     p15, 0, r2, c2, c0, 2   /* TTBCR */
    bl      use_root_at_pl1
    mrc     p15, 0, r2, c1, c0, 0
    orr     r2, r2, #1
    bic     r2, r2, #(1 << 19)      /* WXN */
    ldr     lr, =wrong_mode_mapped
    mcr     p15, 0, r2, c1, c0, 0
    isb
    bx      lr
wrong_mode_mapped:
    ldr     sp, =boot_stack_top
    phys    r0, hv_root
    bl      use_root_at_pl1
    mov     r0, r10
    bl      mmu_early_fdt
    cmp     r0, #0
    movne   r1, #1
    blne    boot_wrong_el
stop:
    wfe
    b       stop

use_root_at_pl1: /* r0: physical */
    mov     r1, #0
    mcrr    p15, 0, r0, r1, c2      /* TTBR0 */
    isb
    mcr     p15, 0, r1, c8, c7, 0   /* TLBIALL */
    mcr     p15, 0, r1, c7, c5, 6   /* BPIALL */
    dsb
    isb
    bx      lr
    .ltorg

    .section .boottables, "aw", %nobits
    .balign 4096
    .globl hv_root
    .globl vmap_l2
    .globl mapwin_ptes
boot_tables:
boot_l1:    .skip 4096
hv_root:      .skip 4096
id_l2:      .skip 4096
boot_l2:    .skip 4096
img_l3:     .skip 4096
vmap_l2:    .skip 4096
mapwin_ptes: .skip 8192
boot_tables_end:
