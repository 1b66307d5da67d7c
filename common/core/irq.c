/* The table of interrupt handlers, and taking an interrupt from the controller. */
#include <hv/bits.h>
#include <hv/cpu.h>
#include <hv/errno.h>
#include <hv/fdt.h>
#include <hv/irq.h>
#include <hv/printk.h>
#include <hv/spinlock.h>
#include <hv/trace.h>

#include <asm/barrier.h>

#include <libfdt.h>

struct irq_action {
    irq_handler_t fn;
    void *arg;
    const char *name;
    enum irq_trigger trigger;
    uint32_t running; /* atomic; SPIs: CPUs that are at the handler, or about to look for it */
};

const struct irq_chip *irq_chip;
static struct irq_action actions[NR_IRQS];
static spinlock_t irq_lock = SPINLOCK_INIT(RANK_IRQ, "irq");

void irq_init(const struct irq_chip *chip) {
    irq_chip = chip;
    chip->init_cpu();
    chip->enable(SGI_KICK);
    chip->enable(SGI_STOP);
}

void irq_init_cpu(void) {
    irq_chip->init_cpu();
    irq_chip->enable(SGI_KICK);
    irq_chip->enable(SGI_STOP);
    for (unsigned irq = 16; irq < 32; irq++)
        if (READ_ONCE(actions[irq].fn)) {
            irq_chip->set_trigger(irq, actions[irq].trigger);
            irq_chip->enable(irq);
        }
}

int irq_request(unsigned irq, enum irq_trigger trigger, irq_handler_t fn, void *arg,
                const char *name) {
    struct irq_action *a;

    if (irq < 16 || irq >= MIN(irq_chip->nr_irqs, NR_IRQS))
        return -EINVAL;
    a = &actions[irq];
    spin_lock(&irq_lock);
    if (a->fn) {
        spin_unlock(&irq_lock);
        return -EBUSY;
    }
    a->arg = arg;
    a->name = name;
    a->trigger = trigger;
    __atomic_store_n(&a->fn, fn, __ATOMIC_RELEASE);
    irq_chip->set_trigger(irq, trigger);
    if (irq >= 32)
        irq_chip->set_target(irq, cpu_id());
    irq_chip->enable(irq);
    spin_unlock(&irq_lock);
    return 0;
}

void irq_release(unsigned irq) {
    struct irq_action *a = &actions[irq];

    spin_lock(&irq_lock);
    irq_chip->disable(irq);
    __atomic_store_n(&a->fn, NULL, __ATOMIC_SEQ_CST);
    spin_unlock(&irq_lock);
    /* Who counted itself before this store may have the old handler; who does later finds none. */
    while (__atomic_load_n(&a->running, __ATOMIC_SEQ_CST))
        cpu_relax();
}

static void dispatch_sgi(uint32_t irq) {
    irq_chip->eoi(irq);
    irq_chip->deactivate(irq);
    if (irq == SGI_STOP)
        cpu_stop_self();
    /* SGI_KICK: having come here is all it asks for */
}

static void dispatch_one(uint32_t irq) {
    irq_handler_t fn = __atomic_load_n(&actions[irq].fn, __ATOMIC_SEQ_CST);

    if (!fn) {
        printk("irq %u: nobody asked for it, disabled\n", irq);
        irq_chip->disable(irq);
        irq_chip->eoi(irq);
        irq_chip->deactivate(irq);
        return;
    }
    irq_chip->eoi(irq);
    if (fn(irq, actions[irq].arg) == IRQ_DONE)
        irq_chip->deactivate(irq);
}

void irq_dispatch(void) {
    uint32_t irq = irq_chip->ack();

    if (irq >= NR_IRQS)
        return;
    trace(TRACE_IRQ, TRACE_NOBODY, irq, 0);
    if (irq < 16) {
        dispatch_sgi(irq);
    } else if (irq < 32) { /* never released while they can come */
        dispatch_one(irq);
    } else {
        __atomic_fetch_add(&actions[irq].running, 1, __ATOMIC_SEQ_CST);
        dispatch_one(irq);
        __atomic_fetch_sub(&actions[irq].running, 1, __ATOMIC_SEQ_CST);
    }
}

/* Cells of one specifier of a controller: 3, or 4 where PPIs may be partitioned (GICv3 binding). 0:
 * not a GIC's. */
static unsigned specifier_cells(const void *fdt, int controller) {
    uint32_t cells = 0;

    if (controller < 0 || fdt_u32(fdt, controller, "#interrupt-cells", &cells) || cells < 3 ||
        cells > 4)
        return 0;
    return cells;
}

/* GIC binding: type (0 SPI, 1 PPI), number, flags (bits 1:0 edge, bits 3:2 level). */
int irq_from_cells(const void *cells, unsigned *irq, enum irq_trigger *trigger) {
    const fdt32_t *cell = cells;
    uint32_t type = fdt32_ld(&cell[0]), num = fdt32_ld(&cell[1]), flags = fdt32_ld(&cell[2]);

    if (type > 1 || num >= (type ? 16u : NR_IRQS - 32))
        return -EINVAL;
    *irq = num + (type ? 16 : 32);
    *trigger = flags & 3 ? IRQ_EDGE : IRQ_LEVEL;
    return 0;
}

/* Each entry names its controller, whose number of cells is the entry's. */
static int from_extended(const void *fdt, const fdt32_t *cell, unsigned left, unsigned index,
                         unsigned *irq, enum irq_trigger *trigger) {
    while (left) {
        int controller = fdt_node_offset_by_phandle(fdt, fdt32_ld(cell));
        uint32_t n;

        if (controller < 0 || fdt_u32(fdt, controller, "#interrupt-cells", &n) || n >= left)
            return -EINVAL;
        if (!index--)
            return specifier_cells(fdt, controller) ? irq_from_cells(cell + 1, irq, trigger)
                                                    : -EINVAL;
        cell += 1 + n;
        left -= 1 + n;
    }
    return -ENOENT;
}

int irq_from_fdt(const void *fdt, int node, unsigned index, unsigned *irq,
                 enum irq_trigger *trigger) {
    const fdt32_t *cell;
    unsigned cells;
    int len;

    /* The Devicetree Specification, 2.4.1: when both are there, this one counts. */
    cell = fdt_getprop(fdt, node, "interrupts-extended", &len);
    if (cell)
        return len % 4 ? -EINVAL : from_extended(fdt, cell, (unsigned)len / 4, index, irq, trigger);
    cell = fdt_getprop(fdt, node, "interrupts", &len);
    if (!cell)
        return -ENOENT;
    cells = specifier_cells(fdt, fdt_interrupt_parent(fdt, node));
    if (!cells || (unsigned)len % (cells * 4))
        return -EINVAL;
    if (index >= (unsigned)len / (cells * 4))
        return -ENOENT;
    return irq_from_cells(cell + index * cells, irq, trigger);
}
