/*
 * Floor 8: from the boot device tree to running domains. Called by common/boot/main.c in this
 * order:
 *
 *   boot_mem_from_fdt()  before the first boot_mem_alloc()
 *   guests_init()        likewise: claims the boot modules
 *   guests_start()       once the scheduler runs
 */
#ifndef HV_GUESTS_H
#define HV_GUESTS_H

#include <hv/guest_config.h>
#include <hv/types.h>

struct domain;

/*
 * Adds every /memory bank (without its no-map regions, which are no RAM to us) and reserves
 * memreserve entries, /reserved-memory, the tree itself and the hypervisor's image. Panics when
 * there is no memory.
 */
void boot_mem_from_fdt(const void *fdt, paddr_t fdt_pa, paddr_t image, uint64_t image_size);

/*
 * Reads every domain node of /chosen and claims its modules: a module in use is reserved for ever,
 * because a reboot of the domain starts from it again. `fdt` must stay mapped. A bad node costs one
 * line and itself.
 */
void guests_init(const void *fdt);

/* Some domain of the tree is to have devices. */
bool guests_want_devices(void);

/* Builds and starts the domains in a thread of their own, in the order of the tree. */
void guests_start(void);

/* The domain of a node; NULL: of none that may start. */
const struct guest_config *guest_of_node(int node);

/* By its name, its number, or "d" and that; NULL: none that may start. */
const struct guest_config *guest_find(const char *word);

/* The event channels its node asks for, with its ports; connected when both ends have started. 0 or
 * an error that has been told. */
int static_evtchns_make(struct domain *d, const struct guest_config *cfg) __must_check;

/* Builds and starts one domain; its line (started, or error) is printed. Thread context. */
int guest_build(const struct guest_config *cfg) __must_check;

#endif
