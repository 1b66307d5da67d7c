/* Where the secrets of a boot come from: what the loader and the CPU give, and the time. */
#ifndef BOOT_SECRETS_H
#define BOOT_SECRETS_H

#include <hv/harden.h>

/* False: the time was nearly all there was, which is no secret to who knows when the machine
 * started. */
bool secrets_gather(const void *fdt, struct entropy *e);
/* Clears what of it stands in the tree; once RAM is mapped. */
void secrets_wipe(const void *fdt, paddr_t fdt_pa);

#endif
