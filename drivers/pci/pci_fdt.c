/* The device tree's half of a PCI host bridge: its interrupt map (IEEE 1275 PCI binding). */
#include <hv/errno.h>
#include <hv/fdt.h>
#include <hv/pci.h>

#include <libfdt.h>

/* An entry: child address (3 cells), pin (1), the controller's phandle, its address, its specifier.
 */
#define CHILD_CELLS 5u

/* Cells of the entry at `cell`, of which `left` are there; 0: malformed. */
static unsigned entry_cells(const void *fdt, const fdt32_t *cell, unsigned left, int *controller) {
    uint32_t address = 0, specifier;

    if (left < CHILD_CELLS)
        return 0;
    *controller = fdt_node_offset_by_phandle(fdt, fdt32_ld(&cell[4]));
    if (*controller < 0 || fdt_u32(fdt, *controller, "#interrupt-cells", &specifier))
        return 0;
    if (fdt_u32(fdt, *controller, "#address-cells", &address))
        address = 0; /* as Linux reads it */
    if (address > 2 || specifier > 4 || CHILD_CELLS + address + specifier > left)
        return 0;
    return CHILD_CELLS + address + specifier;
}

static int decode(const void *fdt, int controller, const fdt32_t *cell, unsigned n,
                  uint32_t address_mask, struct pci_intx *out) {
    uint32_t specifier;

    if (fdt_u32(fdt, controller, "#interrupt-cells", &specifier) || specifier < 3)
        return -EINVAL;
    out->devfn_mask = address_mask >> 8 & 0xff;
    out->devfn = fdt32_ld(&cell[0]) >> 8 & out->devfn_mask;
    out->pin = fdt32_ld(&cell[3]);
    if (out->pin < 1 || out->pin > 4)
        return -EINVAL;
    return irq_from_cells(cell + n - specifier, &out->irq, &out->trigger);
}

int pci_intx_from_fdt(const void *fdt, int bridge, unsigned index, struct pci_intx *out) {
    int len, mask_len, controller;
    const fdt32_t *cell = fdt_getprop(fdt, bridge, "interrupt-map", &len);
    const fdt32_t *mask = fdt_getprop(fdt, bridge, "interrupt-map-mask", &mask_len);
    unsigned left, n;

    if (!cell)
        return -ENOENT;
    if (!mask || mask_len != 16 || len % 4)
        return -EINVAL;
    for (left = (unsigned)len / 4; left; left -= n, cell += n) {
        n = entry_cells(fdt, cell, left, &controller);
        if (!n)
            return -EINVAL;
        if (!index--)
            return decode(fdt, controller, cell, n, fdt32_ld(mask), out);
    }
    return -ENOENT;
}

int pci_intx_of_function(const void *fdt, int bridge, uint32_t rid, unsigned pin,
                         struct pci_intx *out) {
    int rc;

    for (unsigned i = 0; !(rc = pci_intx_from_fdt(fdt, bridge, i, out)); i++)
        if (out->pin == pin && out->devfn == (rid & out->devfn_mask))
            return 0;
    return rc;
}
