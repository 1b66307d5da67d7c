/*
 * Started at EL1 or EL3: say so on the console the device tree names, with the MMU off.
 * Runs at the load address, so it may use only what is reached relative to pc: no tables of
 * pointers.
 */
#include <hv/fdt.h>
#include <hv/types.h>

#include <asm/trap.h>

#include <libfdt.h>

static void put(volatile uint32_t *uart, const char *s) {
    for (; *s; s++) {
        /* UARTFR.TXFF; bounded, since this may not be a PL011 that was set up */
        for (unsigned i = 0; (uart[0x18 / 4] & 0x20) && i < 100000; i++)
            ;
        uart[0] = (uint8_t)*s;
    }
}

static volatile uint32_t *stdout_pl011(const void *fdt) {
    int chosen = fdt_path_offset(fdt, "/chosen"), len, node;
    const char *path = chosen < 0 ? NULL : fdt_getprop(fdt, chosen, "stdout-path", &len);
    int n = 0;
    uint64_t base, size;

    if (!path || len <= 0 || path[len - 1])
        return NULL;
    while (path[n] && path[n] != ':')
        n++;
    node = fdt_path_offset_namelen(fdt, path, n);
    if (node < 0 || fdt_node_check_compatible(fdt, node, "arm,pl011") ||
        fdt_reg(fdt, node, 0, &base, &size))
        return NULL;
    return (volatile uint32_t *)base;
}

void boot_wrong_el(const void *fdt, unsigned el) {
    volatile uint32_t *uart;

    if (fdt_check_header(fdt))
        return;
    uart = stdout_pl011(fdt);
    if (!uart)
        return;
    if (!(uart[0x30 / 4] & 1))
        uart[0x30 / 4] = 0x301; /* UARTCR: enable, TX, RX */
    put(uart, "\r\n(HF) error: started at EL");
    put(uart, el == 1 ? "1" : "3");
    put(uart, "; Holdfast must be started at EL2 (QEMU: virtualization=on, and no secure=on "
              "without EL3 firmware). Stopped.\r\n");
}
