/*
 * Not started at EL2: say so on the console the device tree names. On arm64 this runs at the load
 * address with the MMU off, so it may use only what is reached relative to pc: no tables of
 * pointers, so none of the drivers.
 */
#include <hv/errno.h>
#include <hv/fdt.h>
#include <hv/types.h>

#include <asm/wrong_el.h>

#include <libfdt.h>

#define LEVEL "(HF) error: started at " WRONG_EL_PREFIX

/* Registers that send a character: there is room when the bits `room` of `status` are as `want`. */
struct early_uart {
    char compatible[28];
    uint8_t words; /* registers are read and written as words */
    uint8_t tx, status, room, want;
    uint8_t control;
    uint16_t enable; /* what `control` must have; 0: firmware has enabled it */
};

static const struct early_uart uarts[] = {
    {"arm,pl011", 1, 0, 0x18, 0x20, 0, 0x30, 0x301},
    {"arm,sbsa-uart", 1, 0, 0x18, 0x20, 0, 0, 0},
    {"ns16550a", 0, 0, 5, 0x20, 0x20, 0, 0},
    {"snps,dw-apb-uart", 0, 0, 5, 0x20, 0x20, 0, 0},
    {"brcm,bcm2835-aux-uart", 1, 0, 5 << 2, 0x20, 0x20, 0, 0},
    {"cdns,uart-r1p12", 1, 0x30, 0x2c, 0x10, 0, 0, 0x14},
    {"fsl,imx6q-uart", 1, 0x40, 0xb4, 0x10, 0, 0, 0},
};

struct console {
    const struct early_uart *uart;
    volatile char *regs;
    uint32_t shift;
    bool words;
};

static uint32_t get(const struct console *c, unsigned at) {
    volatile char *reg = c->regs + (at << c->shift);

    return c->words ? *(volatile uint32_t *)reg : *(volatile uint8_t *)reg;
}

static void set(const struct console *c, unsigned at, uint32_t val) {
    volatile char *reg = c->regs + (at << c->shift);

    if (c->words)
        *(volatile uint32_t *)reg = val;
    else
        *(volatile uint8_t *)reg = (uint8_t)val;
}

static void put(const struct console *c, const char *s) {
    for (; *s; s++) {
        /* Bounded, since it may not have been set up. */
        for (unsigned i = 0; (get(c, c->uart->status) & c->uart->room) != c->uart->want; i++)
            if (i == 100000)
                break;
        set(c, c->uart->tx, (uint8_t)*s);
    }
}

static bool find(const void *fdt, struct console *c) {
    int chosen = fdt_path_offset(fdt, "/chosen"), len, node;
    const char *path = chosen < 0 ? NULL : fdt_getprop(fdt, chosen, "stdout-path", &len);
    uint64_t base, size;
    uint32_t width = 1;
    int n = 0;

    if (!path || len <= 0 || path[len - 1])
        return false;
    while (path[n] && path[n] != ':')
        n++;
    node = fdt_path_offset_namelen(fdt, path, n);
    if (node < 0 || fdt_reg(fdt, node, 0, &base, &size))
        return false;
    for (c->uart = uarts; fdt_node_check_compatible(fdt, node, c->uart->compatible); c->uart++)
        if (c->uart == &uarts[ARRAY_SIZE(uarts) - 1])
            return false;
    c->shift = 0;
    if (!c->uart->words && (fdt_u32(fdt, node, "reg-shift", &c->shift) == -EINVAL || c->shift > 2 ||
                            fdt_u32(fdt, node, "reg-io-width", &width) == -EINVAL))
        return false;
    c->words = c->uart->words || width == 4;
    c->regs = wrong_el_device(base);
    return true;
}

void boot_wrong_el(const void *fdt, unsigned el) {
    struct console c;

    if (fdt_check_header(fdt) || !find(fdt, &c))
        return;
    if (c.uart->enable && (get(&c, c.uart->control) & c.uart->enable) != c.uart->enable)
        set(&c, c.uart->control, c.uart->enable);
    put(&c, "\r\n");
    put(&c, el == 1 ? LEVEL "1" : LEVEL "3");
    put(&c, "; Holdfast must be started at " WRONG_EL_WANTED ". Stopped.\r\n");
}
