/* Chooses the console's UART from command line and device tree, and gives it to its driver. */
#include <hv/cmdline.h>
#include <hv/console.h>
#include <hv/fdt.h>
#include <hv/irq.h>
#include <hv/mm.h>
#include <hv/printk.h>
#include <hv/string.h>
#include <hv/uart.h>

#include <asm/mmu.h>

#include <libfdt.h>

static const struct uart_driver *const drivers[] = {
    &pl011_driver,   &sbsa_uart_driver,        &ns16550_driver, &dw_uart_driver,
    &cadence_driver, &bcm2835_aux_uart_driver, &imx_driver};

struct choice {
    const struct uart_driver *driver;
    int node;
    uint64_t base, size;
    const char *by;
};

static const struct uart_driver *driver_of(const void *fdt, int node) {
    for (unsigned i = 0; i < ARRAY_SIZE(drivers); i++)
        if (fdt_compatible(fdt, node, drivers[i]->compatible))
            return drivers[i];
    return NULL;
}

static bool take(const void *fdt, int node, const char *by, struct choice *c) {
    c->driver = node >= 0 ? driver_of(fdt, node) : NULL;
    c->node = node;
    c->by = by;
    return c->driver && fdt_reg(fdt, node, 0, &c->base, &c->size) == 0;
}

/* "PATH[:OPTIONS]" or "ALIAS[:OPTIONS]" to a node. */
static int named_node(const void *fdt, const char *name) {
    const char *colon = strchr(name, ':');
    int len = colon ? (int)(colon - name) : (int)strlen(name);

    return fdt_path_offset_namelen(fdt, name, len);
}

static bool choose_named(const void *fdt, const char *name, const char *by, bool loud,
                         struct choice *c) {
    int node = named_node(fdt, name);

    if (take(fdt, node, by, c))
        return true;
    if (loud)
        printk("error: %s %s: %s; another console is looked for\n", by, name,
               node < 0    ? "no such node"
               : c->driver ? "reg is malformed"
                           : "no driver for this UART");
    return false;
}

static bool choose(const void *fdt, bool loud, struct choice *c) {
    int chosen = fdt_path_offset(fdt, "/chosen");
    char word[FDT_PATH_MAX];
    const char *path;

    if (cmdline_get("dtuart", word, sizeof(word)) && choose_named(fdt, word, "dtuart", loud, c))
        return true;
    if (chosen >= 0 && !fdt_str(fdt, chosen, "stdout-path", &path) &&
        choose_named(fdt, path, "stdout-path", loud, c))
        return true;
    for (unsigned i = 0; i < ARRAY_SIZE(drivers); i++)
        if (take(fdt, fdt_next_compatible(fdt, -1, drivers[i]->compatible), "first found", c))
            return true;
    return false;
}

void uart_early_init(const void *fdt) {
    const struct uart_ops *ops;
    volatile void *base;
    struct choice c;

    if (!choose(fdt, false, &c))
        return;
    base = mmu_early_device(paddr(c.base));
    if (base && (ops = uart_attach(c.driver, base, fdt, c.node)))
        console_set_uart(ops);
}

void uart_init(const void *fdt) {
    char path[FDT_PATH_MAX];
    enum irq_trigger trigger = IRQ_LEVEL;
    const struct uart_ops *ops;
    volatile void *base;
    unsigned irq = 0;
    struct choice c;

    cmdline_choice("console", "dtuart", NULL);
    if (!choose(fdt, true, &c)) {
        printk("error: console: the device tree has no UART that Holdfast knows; nothing is "
               "printed\n");
        return;
    }
    base = ioremap(paddr(c.base), c.size);
    if (!base) {
        printk("error: console %s: its registers cannot be mapped; nothing is printed\n",
               fdt_path(fdt, c.node, path));
        return;
    }
    if (irq_from_fdt(fdt, c.node, 0, &irq, &trigger)) {
        irq = 0;
        printk("console: %s has no usable interrupt: no input\n", fdt_path(fdt, c.node, path));
    }
    console_flush();
    ops = uart_attach(c.driver, base, fdt, c.node);
    if (!ops)
        return; /* nobody would see a line about it */
    uart_set_irq(irq, trigger == IRQ_EDGE);
    console_set_uart(ops);
    printk("console: %s %s at 0x%llx, irq %u (%s)\n", ops->name, fdt_path(fdt, c.node, path),
           (unsigned long long)c.base, irq, c.by);
}
