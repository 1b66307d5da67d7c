/*
 * The event queue and global errors. A failed DMA of 4 KiB may give a thousand events: each is
 * counted, few are printed, and when many come at once the interrupt rests for a while.
 */
#include <hv/errno.h>
#include <hv/fdt.h>
#include <hv/irq.h>
#include <hv/printk.h>
#include <hv/string.h>

#include <asm/barrier.h>
#include <asm/cache.h>

#include <libfdt.h>

#include "smmu.h"

#define EVTQ_BITS 9u
#define EVENTS_PER_INTERRUPT 64u
#define REST_NS 10000000ULL

/* ---- decoding, section 7.3 ---- */

static const struct {
    uint8_t type;
    bool has_address;
    const char *name;
} kinds[] = {
    {0x01, true, "F_UUT"},
    {0x02, false, "C_BAD_STREAMID"},
    {0x03, false, "F_STE_FETCH"},
    {0x04, false, "C_BAD_STE"},
    {0x06, false, "F_STREAM_DISABLED"},
    {0x07, true, "F_TRANSL_FORBIDDEN"},
    {0x08, false, "C_BAD_SUBSTREAMID"},
    {0x09, false, "F_CD_FETCH"},
    {0x0a, false, "C_BAD_CD"},
    {0x0b, true, "F_WALK_EABT"},
    {0x10, true, "F_TRANSLATION"},
    {0x11, true, "F_ADDR_SIZE"},
    {0x12, true, "F_ACCESS"},
    {0x13, true, "F_PERMISSION"},
    {0x20, true, "F_TLB_CONFLICT"},
    {0x21, false, "F_CFG_CONFLICT"},
    {0x24, true, "E_PAGE_REQUEST"},
};

void smmu_event_text(const uint64_t event[EVENT_WORDS], char buf[SMMU_EVENT_TEXT]) {
    unsigned type = (unsigned)bits_get(event[0], EVT0_TYPE), i = 0;
    const char *access = event[1] & EVT1_READ ? "read" : "write";

    while (i < ARRAY_SIZE(kinds) && kinds[i].type != type)
        i++;
    if (i == ARRAY_SIZE(kinds))
        hv_snprintf(buf, SMMU_EVENT_TEXT, "event %#x: %#llx %#llx %#llx %#llx", type,
                    (unsigned long long)event[0], (unsigned long long)event[1],
                    (unsigned long long)event[2], (unsigned long long)event[3]);
    else if (!kinds[i].has_address)
        hv_snprintf(buf, SMMU_EVENT_TEXT, "%s", kinds[i].name);
    else
        hv_snprintf(buf, SMMU_EVENT_TEXT, "%s, %s of %#llx%s, ipa page %#llx", kinds[i].name,
                    access, (unsigned long long)event[2], event[1] & EVT1_S2 ? ", stage 2" : "",
                    (unsigned long long)(event[3] & EVT_IPA));
}

/* ---- draining ---- */

static void take_event(struct smmu *s, const uint64_t event[EVENT_WORDS]) {
    uint32_t stream = (uint32_t)bits_get(event[0], EVT0_STREAM);
    uint32_t *counter = smmu_fault_counter(s, stream);
    char text[SMMU_EVENT_TEXT], owner[8] = "nobody";
    uint16_t domid;

    s->evtq.events++;
    if (counter)
        ++*counter;
    else
        s->evtq.strays++;
    if (!iommu_fault(&s->iommu, stream, &domid))
        return;
    if (domid != IOMMU_NOBODY)
        hv_snprintf(owner, sizeof(owner), "d%u", domid);
    smmu_event_text(event, text);
    printk("%s: stream %#x of %s: %s\n", s->name, stream, owner, text);
}

/* At most `max` events; true when the queue is empty. */
static bool drain(struct smmu *s, unsigned max) {
    struct smmu_evtq *q = &s->evtq;
    uint32_t mask = (2u << q->bits) - 1, prod = smmu_read(s, SMMU_EVENTQ_PROD);

    dmb_loads(osh); /* the events were written before it was */
    while (max && q->cons != (prod & mask)) {
        uint64_t *event = q->entries[q->cons & (mask >> 1)];

        if (!s->iommu.coherent)
            dcache_inval_poc(event, sizeof(*q->entries));
        take_event(s, event);
        q->cons = (q->cons + 1) & mask;
        max--;
    }
    dmb(osh); /* they are read before their places are free again */
    /* Bit 31 acknowledges an overflow. */
    smmu_write(s, SMMU_EVENTQ_CONS, q->cons | (prod & EVENTQ_OVFLG));
    return q->cons == (smmu_read(s, SMMU_EVENTQ_PROD) & mask);
}

static void drain_or_rest(struct smmu *s, unsigned max) {
    struct smmu_evtq *q = &s->evtq;

    if (q->resting || drain(s, max))
        return;
    q->resting = true;
    irq_chip->disable(q->irq);
    timer_set(&q->timer, time_ticks() + ns_to_ticks(REST_NS));
}

static void acknowledge(struct smmu *s, uint32_t bits) {
    smmu_write(s, SMMU_GERRORN, smmu_read(s, SMMU_GERRORN) ^ bits);
}

static uint32_t active_errors(const struct smmu *s) {
    return (smmu_read(s, SMMU_GERROR) ^ smmu_read(s, SMMU_GERRORN)) & GERROR_ALL;
}

/* Events that found no room are gone; the next one that finds none is told again. */
static void count_lost(struct smmu *s) {
    if (!(active_errors(s) & GERROR_EVENTQ_ABT))
        return;
    s->evtq.lost++;
    if (log_ratelimit(&s->evtq.log, time_ns()))
        printk("%s: events were lost\n", s->name);
    acknowledge(s, GERROR_EVENTQ_ABT);
}

static void rested(void *arg) {
    struct smmu *s = arg;
    struct smmu_evtq *q = &s->evtq;

    spin_lock(&q->lock);
    q->resting = false;
    /* Enabled first: an event after the drain finds the interrupt on. */
    irq_chip->enable(q->irq);
    drain_or_rest(s, 1u << q->bits);
    if (!q->resting)
        count_lost(s);
    spin_unlock(&q->lock);
}

static enum irq_result event_irq(unsigned irq, void *arg) {
    struct smmu *s = arg;

    (void)irq;
    spin_lock(&s->evtq.lock);
    drain_or_rest(s, EVENTS_PER_INTERRUPT);
    spin_unlock(&s->evtq.lock);
    return IRQ_DONE;
}

static enum irq_result error_irq(unsigned irq, void *arg) {
    struct smmu *s = arg;
    uint32_t active = active_errors(s), others;

    (void)irq;
    if (active & GERROR_CMDQ)
        smmu_cmdq_error_irq(s);
    spin_lock(&s->evtq.lock);
    if (active & GERROR_EVENTQ_ABT) {
        drain_or_rest(s, EVENTS_PER_INTERRUPT);
        if (!s->evtq.resting)
            count_lost(s);
    }
    others = active_errors(s) & ~(uint32_t)(GERROR_CMDQ | GERROR_EVENTQ_ABT);
    if (others) {
        if (log_ratelimit(&s->evtq.log, time_ns()))
            printk("error: %s: global error %#x; acknowledged\n", s->name, others);
        acknowledge(s, others);
    }
    spin_unlock(&s->evtq.lock);
    return IRQ_DONE;
}

/* ---- starting ---- */

int smmu_evtq_init(struct smmu *s) {
    struct smmu_evtq *q = &s->evtq;

    spin_lock_init(&q->lock, RANK_IOMMU_EVENTS, "smmu events");
    timer_init(&q->timer, rested, s);
    q->log = (struct ratelimit)RATELIMIT_INIT;
    q->bits = MIN(EVTQ_BITS, (unsigned)bits_get(smmu_read(s, SMMU_IDR1), IDR1_EVENTQS));
    q->entries = smmu_alloc(s, sizeof(*q->entries) << q->bits);
    return q->entries ? 0 : -ENOMEM;
}

void smmu_evtq_start(struct smmu *s) {
    smmu_write64(s, SMMU_EVENTQ_BASE,
                 virt_to_phys(s->evtq.entries).pa | BASE_ALLOC_HINT | s->evtq.bits);
    smmu_write(s, SMMU_EVENTQ_PROD, 0);
    smmu_write(s, SMMU_EVENTQ_CONS, 0);
}

/* The interrupt of that name, or the one for all; 0: none. */
static unsigned take_irq(struct smmu *s, const void *fdt, int node, const char *name,
                         irq_handler_t fn) {
    int index = fdt_stringlist_search(fdt, node, "interrupt-names", name);
    enum irq_trigger trigger;
    unsigned irq;

    if (index >= 0 && !irq_from_fdt(fdt, node, (unsigned)index, &irq, &trigger) &&
        !irq_request(irq, trigger, fn, s, s->name))
        return irq;
    return 0;
}

static enum irq_result combined_irq(unsigned irq, void *arg) {
    (void)event_irq(irq, arg);
    return error_irq(irq, arg);
}

void smmu_irqs_init(struct smmu *s, const void *fdt, int node) {
    uint32_t on = 0;

    if (fdt_stringlist_search(fdt, node, "interrupt-names", "combined") >= 0) {
        s->evtq.irq = take_irq(s, fdt, node, "combined", combined_irq);
        on = s->evtq.irq ? IRQ_CTRL_EVENTQ | IRQ_CTRL_GERROR : 0;
    } else {
        s->evtq.irq = take_irq(s, fdt, node, "eventq", event_irq);
        on = (s->evtq.irq ? IRQ_CTRL_EVENTQ : 0) |
             (take_irq(s, fdt, node, "gerror", error_irq) ? IRQ_CTRL_GERROR : 0);
    }
    if (on != (IRQ_CTRL_EVENTQ | IRQ_CTRL_GERROR))
        printk("warning: %s: interrupt-names: expected eventq and gerror with usable interrupts; "
               "faults are not told\n",
               s->name);
    smmu_write(s, SMMU_IRQ_CTRL, on);
    (void)smmu_wait(s, SMMU_IRQ_CTRLACK, on, on, "interrupts");
}
