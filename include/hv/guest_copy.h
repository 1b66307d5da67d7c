/*
 * Floor 6: the only way to the memory a guest names by its own virtual addresses: of the current
 * vCPU, with its translation and its rights, byte for byte, any alignment, any length.
 *
 * The P2M read lock is held while a page is touched, so a page cannot leave the domain under our
 * hands; RAM of every kind a guest may have mapped is fine, devices are not. Each call reads or
 * writes each byte once: what was read is the hypervisor's copy and is what gets checked and used.
 */
#ifndef HV_GUEST_COPY_H
#define HV_GUEST_COPY_H

#include <hv/types.h>

struct vcpu;

/* 0, or -EFAULT: some byte is not the guest's to read or write; what precedes it may have been
 * copied. */
int copy_from_guest(void *to, vaddr_t from, size_t n) __must_check;
/* Four bytes for v, the current vCPU, in few instructions where they are aligned. The value, or
 * -EFAULT. */
int64_t read_u32_from_guest(const struct vcpu *v, vaddr_t from) __must_check;
/* Two bytes, a status mostly, likewise. */
int write_u16_to_guest(vaddr_t to, uint16_t value) __must_check;
int copy_to_guest(vaddr_t to, const void *from, size_t n) __must_check;
/* n words of 64 bits, each `stride` bytes after the one before it, here and there. -EFAULT as
 * above. */
int copy_fields_to_guest(vaddr_t to, const uint64_t *from, size_t stride, size_t n) __must_check;

#endif
