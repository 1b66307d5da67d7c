/* Floor 7: the workers of memory_op; each takes the guest's argument pointer (public memory.h). */
#ifndef ABI_MEMORY_H
#define ABI_MEMORY_H

#include <hv/types.h>

struct vcpu;

/* physmap.c: 0 or -errno */
int64_t memory_add_to_physmap(struct vcpu *v, vaddr_t arg);
int64_t memory_add_to_physmap_batch(struct vcpu *v, vaddr_t arg, uint64_t start);
int64_t memory_remove_from_physmap(struct vcpu *v, vaddr_t arg);

/* reservation.c: the number of extents done, from `start` on counted as done */
int64_t memory_populate_physmap(struct vcpu *v, vaddr_t arg, uint64_t start);
int64_t memory_decrease_reservation(struct vcpu *v, vaddr_t arg, uint64_t start);
int64_t memory_increase_reservation(struct vcpu *v, vaddr_t arg, uint64_t start);

#endif
