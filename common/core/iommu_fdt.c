/* From nodes of the host device tree to streams: `iommus` and `iommu-map` (contract in hv/iommu.h).
 */
#include <hv/bits.h>
#include <hv/errno.h>
#include <hv/fdt.h>

#include <libfdt.h>

#include "iommu_internal.h"

/* One cell names a stream. What other numbers of cells mean is up to the kind of IOMMU. */
#define STREAM_CELLS 1u

/* The number of cells behind a reference to an IOMMU; 0: malformed. */
static unsigned cells_of(const void *fdt, uint32_t phandle) {
    int node = fdt_node_offset_by_phandle(fdt, phandle);
    uint32_t cells = 0;

    if (node < 0 || fdt_u32(fdt, node, "#iommu-cells", &cells) || cells > 8)
        return 0;
    return cells;
}

static int find(uint32_t phandle, uint32_t first, uint32_t count, struct iommu_streams *out) {
    for (unsigned i = 0; i < nr_iommus; i++) {
        if (iommus[i]->phandle != phandle)
            continue;
        if (!iommus[i]->stage2)
            return -ENODEV;
        if (first >= iommus[i]->stream_end)
            return -ERANGE;
        *out = (struct iommu_streams){iommus[i], first, MIN(count, iommus[i]->stream_end - first)};
        return 0;
    }
    return -ENODEV;
}

int iommu_streams_of_node(const void *fdt, int node, unsigned index, struct iommu_streams *out) {
    int len;
    const fdt32_t *cell = fdt_getprop(fdt, node, "iommus", &len);
    unsigned left = cell ? (unsigned)len / 4 : 0;

    if (!cell)
        return -ENOENT;
    if (!left || len % 4)
        return -EINVAL;
    for (; left; index--) {
        uint32_t phandle = fdt32_ld(cell);
        unsigned cells = cells_of(fdt, phandle);

        if (!cells || left < 1 + cells)
            return -EINVAL;
        if (!index)
            return cells == STREAM_CELLS ? find(phandle, fdt32_ld(&cell[1]), 1, out) : -EINVAL;
        cell += 1 + cells;
        left -= 1 + cells;
    }
    return -ENOENT;
}

/* Entries of iommu-map: requester ID, IOMMU, stream, number of IDs. */
#define MAP_CELLS 4

int iommu_streams_of_rid(const void *fdt, int bridge, uint32_t rid, uint32_t count,
                         struct iommu_streams *out) {
    int len;
    const fdt32_t *cell = fdt_getprop(fdt, bridge, "iommu-map", &len);
    uint32_t mask = ~0u;

    if (!cell)
        return -ENOENT;
    if (!len || len % (4 * MAP_CELLS) || !count ||
        fdt_u32(fdt, bridge, "iommu-map-mask", &mask) == -EINVAL)
        return -EINVAL;
    if (mask != ~0u)
        count = 1;
    rid &= mask;
    for (; len; cell += MAP_CELLS, len -= 4 * MAP_CELLS) {
        uint32_t base = fdt32_ld(&cell[0]), phandle = fdt32_ld(&cell[1]);
        uint32_t stream = fdt32_ld(&cell[2]), span = fdt32_ld(&cell[3]), offset = rid - base;

        if (cells_of(fdt, phandle) != STREAM_CELLS)
            return -EINVAL;
        if (rid >= base && offset < span)
            return stream + offset < stream
                       ? -ERANGE
                       : find(phandle, stream + offset, MIN(count, span - offset), out);
    }
    return -ENOENT;
}
