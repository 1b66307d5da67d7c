/* Addresses of the test guest, for C and assembly; those of devices are in Xen's public arch-arm.h.
 */
#ifndef LAYOUT_H
#define LAYOUT_H

/* 16 bytes of the image's header that tests write to. */
#ifdef __aarch64__
#define PARAMETERS_AT 40
#else
#define PARAMETERS_AT 48
#endif

#define GICD 0x03001000
#define GICR 0x03020000
#define VPL011 0x22000000
#define RAM 0x40000000
/* No device and no RAM, mapped as Device and as Normal memory. */
#define NOTHING 0x10000000
#define NOTHING_NORMAL 0x78000000

#ifdef __aarch64__
/* Other views of the first GiB and of RAM: Normal non-cacheable; for EL0; a stage-1 table in
 * NOTHING. */
#define NON_CACHEABLE 0x80000000
#define EL0_ALIAS 0x100000000
#define BAD_TABLE 0x180000000
/* From an address of RAM to the same memory that may only be read. */
#define READ_ONLY 0x180000000
/* A GiB of addresses with nothing. */
#define SPARE_GIB 8
#else
/* A stage-1 table in NOTHING, and from an address of RAM to the same memory that may only be read. */
#define BAD_TABLE 0x80000000
#define READ_ONLY 0x80000000
#define SPARE_GIB 2 /* that of BAD_TABLE */
#endif

#define MAX_CPUS 8
#define STACK_SHIFT 13
#define STACK_SIZE (1 << STACK_SHIFT)
#define FRAME_SIZE 272

#endif
