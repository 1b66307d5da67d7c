/*
 * Floor 4: physical interrupts. Numbers are INTIDs (SGI 0..15, PPI 16..31, SPI 32..1019).
 *
 * The interrupt controller driver fills one struct irq_chip; this floor owns the table of handlers.
 * An interrupt that belongs to a guest is left active when its handler returns IRQ_TO_GUEST: the
 * guest's own EOI deactivates it through the HW bit of the list register.
 */
#ifndef HV_IRQ_H
#define HV_IRQ_H

#include <hv/types.h>

#define NR_IRQS 1020u
#define IRQ_SPURIOUS 1023u

enum irq_trigger { IRQ_LEVEL, IRQ_EDGE };
enum irq_result { IRQ_DONE, IRQ_TO_GUEST };

typedef enum irq_result (*irq_handler_t)(unsigned irq, void *arg);

/* Upward operations of the physical controller. All act on the calling CPU for irq < 32. */
struct irq_chip {
    const char *name;
    unsigned nr_irqs;          /* SPIs end below this INTID */
    void (*init_cpu)(void);    /* this CPU's redistributor / CPU interface */
    uint32_t (*ack)(void);     /* INTID or IRQ_SPURIOUS */
    void (*eoi)(uint32_t irq); /* priority drop */
    void (*deactivate)(uint32_t irq);
    void (*enable)(uint32_t irq);
    void (*disable)(uint32_t irq); /* returns with the write complete */
    void (*set_trigger)(uint32_t irq, enum irq_trigger t);
    void (*set_target)(uint32_t irq, unsigned cpu); /* SPIs only */
    void (*set_active)(uint32_t irq, bool active);  /* state bit of this CPU's PPI, or of an SPI */
    void (*set_pending)(uint32_t irq, bool pending);
    void (*send_sgi)(unsigned cpu, uint32_t sgi);
    bool (*irq_waiting)(void); /* an interrupt could be acked now */
    void (*before_wait)(void); /* this CPU is about to wait for an interrupt; NULL: no need */
};

extern const struct irq_chip *irq_chip;

/* SGIs the hypervisor uses between its CPUs. */
enum { SGI_KICK = 0, SGI_STOP = 1 };

/* Takes the controller that a driver found (driver probe table, common/boot). Boot CPU. */
void irq_init(const struct irq_chip *chip);
void irq_init_cpu(void); /* secondary CPUs: this CPU's interface, and the PPIs that have handlers */
/* Handler for an SPI, or for a PPI/SGI on every CPU. -EBUSY when taken, -EINVAL out of range. */
int irq_request(unsigned irq, enum irq_trigger trigger, irq_handler_t fn, void *arg,
                const char *name) __must_check;
/* An SPI's handler runs nowhere when this returns; not called from a handler. Its state in the
 * controller (active, pending) is left to the caller. */
void irq_release(unsigned irq);
/* Acks and runs one interrupt, if one waits. Called from the IRQ vector, the idle loop and poll
 * points, which come again as long as another one waits. */
void irq_dispatch(void);
/* Interrupt `index` of a device-tree node (`interrupts-extended`, else `interrupts`) to INTID and
 * trigger. -ENOENT: there is none, -EINVAL: malformed, or not a GIC's. */
int irq_from_fdt(const void *fdt, int node, unsigned index, unsigned *irq,
                 enum irq_trigger *trigger) __must_check;
/* The same for one specifier of a GIC, three big-endian cells. */
int irq_from_cells(const void *cells, unsigned *irq, enum irq_trigger *trigger) __must_check;

#endif
