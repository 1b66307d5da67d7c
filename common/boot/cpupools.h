/* Floor 8: CPU pools by what domains name them with. */
#ifndef BOOT_CPUPOOLS_H
#define BOOT_CPUPOOLS_H

#include <hv/types.h>

struct cpupool;

/* NULL: no such pool was made. */
struct cpupool *cpupool_by_phandle(uint32_t phandle);

#endif
