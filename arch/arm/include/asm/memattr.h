/* Floor 1: the memory attributes of the hypervisor's own mappings: indices into MAIR_EL2 (Arm ARM
 * D19.2.97). */
#ifndef ASM_MEMATTR_H
#define ASM_MEMATTR_H

#define MATTR_DEVICE_nGnRnE 0
#define MATTR_DEVICE_nGnRE 1
#define MATTR_NORMAL_NC 2
#define MATTR_NORMAL_WB 3

#define MAIR_EL2_VALUE (0x00ULL << 0 | 0x04ULL << 8 | 0x44ULL << 16 | 0xffULL << 24)

#endif
