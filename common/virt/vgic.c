/*
 * The vGIC's state machine: lines, edges, SGIs and register writes change a bank; what follows from
 * that for the list registers is left to vgic_lr.c.
 *
 * An interrupt in a list register of a vCPU that runs on another CPU is changed like any other,
 * with a mark where the hardware's copy must not win, and that CPU is asked to take its list
 * registers back. The writer then waits for it (vgic_wait()), so that the effect has come when the
 * guest's store is done.
 */
#include <hv/bits.h>
#include <hv/cpu.h>
#include <hv/errno.h>
#include <hv/guest_map.h>
#include <hv/irq.h>
#include <hv/mm.h>

#include <asm/barrier.h>

#include "vgic_internal.h"

/* Another CPU answers in a few microseconds unless it is stuck; its last known state counts then.
 */
#define WAIT_NS 1000000ULL

#define SGIR_IRM BIT(40) /* ICC_SGI1R_EL1: to all but the sender */

/* An idle SPI (vgic_note_spi()) goes to its target. */
static void move_one(struct domain *d, unsigned bank) {
    struct vgic_spi_bank *s = &d->vgic.spi[bank];
    unsigned n = ffs64(s->moving), intid = 32 * (bank + 1) + n;
    uint32_t bit = 1u << n;
    struct vcpu *v;
    bool kick;

    s->moving &= ~bit;
    if (((s->b.in_lr | s->b.active) & bit) || s->target[n] >= d->max_vcpus)
        return;
    s->home[n] = s->target[n];
    v = d->vcpus[s->home[n]];
    spin_lock(&v->vgic.lock);
    vgic_note_spi(v, intid);
    kick = vgic_settle(v, true);
    spin_unlock(&v->vgic.lock);
    if (kick)
        vcpu_kick(v);
}

void vgic_move_spis(struct domain *d) {
    struct vgic_dist *g = &d->vgic;

    while (g->moving) {
        unsigned bank = ffs64(g->moving);

        if (g->spi[bank].moving)
            move_one(d, bank);
        else
            g->moving &= ~(1u << bank);
    }
    spin_unlock(&g->lock);
}

/* ---- one operation on one interrupt ---- */

static void set_latch(struct vgic_bank *b, uint32_t bit, struct vgic_lr *lr) {
    b->latch |= bit;
    if (lr)
        lr->marks |= MARK_SET_PENDING;
}

static void raise_line(struct vgic_bank *b, uint32_t bit, struct vgic_lr *lr) {
    if ((b->edge & bit) && !(b->line & bit))
        set_latch(b, bit, lr);
    else if ((b->hw & bit) && lr)
        lr->marks |= MARK_SET_PENDING; /* the guest has ended the one in the list register */
    b->line |= bit;
}

static void set_pending(struct vcpu *v, struct vgic_bank *b, unsigned intid, struct vgic_lr *lr) {
    uint32_t bit = 1u << intid % 32;

    /*
     * A tied interrupt is made pending at its source, so that its one deactivation ends it. A PPI's
     * source can be reached only where its vCPU is; for another vCPU the write has no effect. It
     * leaves with its vCPU: the next one here must not take it.
     */
    if (!(b->hw & bit)) {
        set_latch(b, bit, lr);
    } else if (!(b->line & bit) && (intid >= VGIC_NR_PRIVATE || vgic_local(v))) {
        if (intid < VGIC_NR_PRIVATE)
            v->vgic.asked |= bit;
        irq_chip->set_pending(b->phys[intid % 32], true);
    }
}

static void clear_pending(struct vcpu *v, struct vgic_bank *b, unsigned intid, struct vgic_lr *lr) {
    uint32_t bit = 1u << intid % 32;

    b->latch &= ~bit;
    if (intid < VGIC_NR_PRIVATE)
        v->vgic.asked &= ~bit;
    if (lr)
        lr->marks &= (uint8_t)~MARK_SET_PENDING;
    else if ((b->hw & b->line & bit) && !(b->active & bit))
        vgic_hw_release(v, b, intid); /* it comes again if its device still asks */
}

static void set_active(struct vgic_bank *b, uint32_t bit, struct vgic_lr *lr) {
    b->active |= bit;
    if (lr)
        lr->marks = (uint8_t)((lr->marks | MARK_SET_ACTIVE) & ~MARK_CLEAR_ACTIVE);
}

static void clear_active(struct vcpu *v, struct vgic_bank *b, unsigned intid, struct vgic_lr *lr) {
    uint32_t bit = 1u << intid % 32;

    if (lr)
        lr->marks = (uint8_t)((lr->marks | MARK_CLEAR_ACTIVE) & ~MARK_SET_ACTIVE);
    else if (b->active & bit)
        vgic_hw_release(v, b, intid);
    b->active &= ~bit;
}

/* What happens to an SGI of a GICv2 that one of `from` sent concerns the list register, if the one
 * in it is theirs. */
static void change_sgi(struct vcpu *v, struct vgic_bank *b, unsigned n, uint8_t from, bool pending,
                       struct vgic_lr *lr) {
    uint8_t *senders = &v->vgic.sgi_from[n];
    bool in_lr = lr && from >> vgic_lr_source(lr->val) & 1;

    if (pending) {
        *senders |= from;
        set_latch(b, 1u << n, in_lr ? lr : NULL);
        return;
    }
    *senders &= (uint8_t)~from;
    if (!*senders)
        b->latch &= ~(1u << n);
    if (in_lr)
        lr->marks &= (uint8_t)~MARK_SET_PENDING;
}

/* lr: the list register that has it on another CPU, or NULL. from: for VGIC_SGI_FROM and _NOT_FROM.
 */
static void change(struct vcpu *v, struct vgic_bank *b, unsigned intid, enum vgic_op op,
                   uint8_t from, struct vgic_lr *lr) {
    uint32_t bit = 1u << intid % 32;

    switch (op) {
    case VGIC_ENABLE:
        b->enabled |= bit;
        break;
    case VGIC_DISABLE:
        b->enabled &= ~bit;
        break;
    case VGIC_SET_PENDING:
        set_pending(v, b, intid, lr);
        break;
    case VGIC_CLEAR_PENDING:
        clear_pending(v, b, intid, lr);
        break;
    case VGIC_SET_ACTIVE:
        set_active(b, bit, lr);
        break;
    case VGIC_CLEAR_ACTIVE:
        clear_active(v, b, intid, lr);
        break;
    case VGIC_GROUP0:
        b->group &= ~bit;
        break;
    case VGIC_GROUP1:
        b->group |= bit;
        break;
    case VGIC_EDGE:
        b->edge |= bit;
        break;
    case VGIC_LEVEL:
        b->edge &= ~bit;
        break;
    case VGIC_RAISE:
        raise_line(b, bit, lr);
        break;
    case VGIC_LOWER:
        b->line &= ~bit;
        break;
    case VGIC_SGI_FROM:
    case VGIC_SGI_NOT_FROM:
        change_sgi(v, b, intid, from, op == VGIC_SGI_FROM, lr);
        break;
    case VGIC_REFRESH:
        break;
    }
}

/* What a change asks for when the locks are given up. */
struct outcome {
    bool kick; /* the vCPU */
    bool wait; /* for a resync */
};

/* v: at home there, its lock is held. */
static inline struct outcome change_one(struct vcpu *v, struct vgic_bank *b, unsigned intid,
                                        enum vgic_op op, uint8_t from) {
    uint32_t bit = 1u << intid % 32;
    struct vgic_lr *lr = NULL;

    if (vgic_local(v)) {
        if (b->in_lr & bit)
            vgic_absorb(v, b, intid);
        change(v, b, intid, op, from, NULL);
        vgic_update(v, b, intid);
        return (struct outcome){.kick = vgic_waits(v) && (b->in_lr & bit), .wait = false};
    }
    if (b->in_lr & bit) {
        lr = &v->vgic.lr[b->lr[intid % 32]];
        v->vgic.resync = true;
    }
    change(v, b, intid, op, from, lr);
    if (intid >= VGIC_NR_PRIVATE)
        vgic_note_spi(v, intid);
    return (struct outcome){.kick = vgic_settle(v, intid >= VGIC_NR_PRIVATE),
                            .wait = v->vgic.resync};
}

/* Nothing follows from enabling or disabling what is idle; drivers do it often. This way calls
 * nothing, so it needs no stack frame. */
static __force_inline bool change_idle(spinlock_t *lock, struct vgic_bank *b, uint32_t mask,
                                       enum vgic_op op) {
    bool idle;

    spin_lock(lock);
    idle = !((vgic_bank_pending(b) | b->active | b->in_lr) & mask);
    if (idle)
        b->enabled = op == VGIC_ENABLE ? b->enabled | mask : b->enabled & ~mask;
    spin_unlock(lock);
    return idle;
}

/* True: a resync was asked for. */
static bool change_private(struct vcpu *v, uint32_t mask, enum vgic_op op) {
    struct outcome all = {false, false};

    spin_lock(&v->vgic.lock);
    for (; mask; mask &= mask - 1) {
        struct outcome out = change_one(v, &v->vgic.priv, ffs64(mask), op, 0);

        all.kick |= out.kick;
        all.wait |= out.wait;
    }
    spin_unlock(&v->vgic.lock);
    if (all.kick)
        vcpu_kick(v);
    return all.wait;
}

/* Whatever state it is in. True: kick v. */
static __noinline bool raise_anyhow(struct vcpu *v, unsigned n, bool line) {
    return change_one(v, &v->vgic.priv, n, line ? VGIC_RAISE : VGIC_SET_PENDING, 0).kick;
}

/* SGI or PPI n has an event or (line) its line rises. */
static void raise_private(struct vcpu *v, unsigned n, bool line) {
    bool kick, done;

    spin_lock(&v->vgic.lock);
    if (vgic_local(v)) {
        done = vgic_refill(v, n, line);
        kick = done && vgic_waits(v);
    } else {
        done = !line && vgic_send_remote(v, n, &kick);
    }
    if (unlikely(!done))
        kick = raise_anyhow(v, n, line);
    spin_unlock(&v->vgic.lock);
    if (kick)
        vcpu_kick(v);
}

static bool change_spis(struct domain *d, unsigned first, uint32_t mask, enum vgic_op op) {
    struct vgic_spi_bank *s = vgic_spi_bank(d, first);
    bool wait = false;

    spin_lock(&d->vgic.lock);
    for (; mask; mask &= mask - 1) {
        unsigned n = ffs64(mask);
        struct vcpu *v = d->vcpus[s->home[n]];
        struct outcome out;

        spin_lock(&v->vgic.lock);
        out = change_one(v, &s->b, first + n, op, 0);
        spin_unlock(&v->vgic.lock);
        wait |= out.wait;
        if (out.kick)
            vcpu_kick(v);
    }
    vgic_dist_unlock(d);
    return wait;
}

/*
 * Until no vCPU owes a resync. Nobody can wait for us in turn: whoever waits serves its own
 * requests, and a vCPU that does anything else passes vgic_flush() or vgic_save() in bounded time.
 * No lock is held.
 */
static void vgic_wait(struct domain *d) {
    struct vcpu *self = current;
    uint64_t start = time_ticks(), limit = ns_to_ticks(WAIT_NS);

    for (unsigned i = 0; i < d->max_vcpus; i++) {
        struct vcpu *v = d->vcpus[i];

        while (__atomic_load_n(&v->vgic.resync, __ATOMIC_ACQUIRE)) {
            if (self->domain && READ_ONCE(self->vgic.resync))
                vgic_flush(self);
            if (time_ticks() - start > limit)
                return;
            cpu_relax();
        }
    }
}

static __noinline void apply(struct domain *d, struct vcpu *v, unsigned first, uint32_t mask,
                             enum vgic_op op, bool wait) {
    bool resync = v ? change_private(v, mask, op) : change_spis(d, first, mask, op);

    if (wait && resync)
        vgic_wait(d);
}

void vgic_apply(struct domain *d, struct vcpu *v, unsigned first, uint32_t mask, enum vgic_op op,
                bool wait) {
    if (!mask)
        return;
    if (op <= VGIC_DISABLE &&
        (v ? change_idle(&v->vgic.lock, &v->vgic.priv, mask, op)
           : change_idle(&d->vgic.lock, &vgic_spi_bank(d, first)->b, mask, op)))
        return;
    apply(d, v, first, mask, op, wait);
}

void vgic_set_sgi_from(struct vcpu *to, unsigned n, uint8_t from, bool pending) {
    struct outcome out;

    spin_lock(&to->vgic.lock);
    out = change_one(to, &to->vgic.priv, n, pending ? VGIC_SGI_FROM : VGIC_SGI_NOT_FROM, from);
    spin_unlock(&to->vgic.lock);
    if (out.kick)
        vcpu_kick(to);
    if (out.wait && !pending)
        vgic_wait(to->domain);
}

/* ---- reading what hardware knows ---- */

/* True: v must be kicked, and waited for. */
static bool sync_one(struct vcpu *v, struct vgic_bank *b, unsigned first, unsigned n) {
    if (!(b->in_lr >> n & 1))
        return false;
    if (!vgic_local(v)) {
        v->vgic.resync = true;
    } else {
        vgic_absorb(v, b, first + n);
        if (!first)
            vgic_resample(v, 1u << n);
        vgic_update(v, b, first + n);
    }
    return !vgic_local(v) && vgic_settle(v, first);
}

void vgic_sync_bank(struct domain *d, struct vcpu *v, unsigned first) {
    struct vgic_bank *b = v ? &v->vgic.priv : &vgic_spi_bank(d, first)->b;
    uint32_t in_lr;
    bool kick, wait = false;

    if (!v)
        spin_lock(&d->vgic.lock);
    else if (vgic_local(v) && (b->hw & b->line)) {
        spin_lock(&v->vgic.lock);
        vgic_resample(v, ~b->in_lr);
        spin_unlock(&v->vgic.lock);
    }
    for (in_lr = READ_ONCE(b->in_lr); in_lr; in_lr &= in_lr - 1) {
        unsigned n = ffs64(in_lr);
        struct vcpu *home = v ? v : d->vcpus[vgic_spi_bank(d, first)->home[n]];

        spin_lock(&home->vgic.lock);
        kick = sync_one(home, b, first, n);
        wait |= home->vgic.resync;
        spin_unlock(&home->vgic.lock);
        if (kick)
            vcpu_kick(home);
    }
    if (!v)
        vgic_dist_unlock(d);
    if (wait)
        vgic_wait(d);
}

/* ---- routing ---- */

void vgic_set_route(struct domain *d, unsigned intid, uint32_t route, unsigned target) {
    struct vgic_spi_bank *s = vgic_spi_bank(d, intid);
    unsigned n = intid % 32;

    spin_lock(&d->vgic.lock);
    s->route[n] = route;
    /* Nobody there: it stays pending until it is routed to a vCPU. */
    s->target[n] = target < d->max_vcpus ? (uint8_t)target : 0xff;
    vgic_dist_unlock(d);
    /* Out of a list register, not ready at its old home any more, and on its way. */
    vgic_apply(d, NULL, intid - n, 1u << n, VGIC_REFRESH, true);
}

/* ---- devices ---- */

static bool valid(const struct domain *d, const struct vcpu *v, unsigned intid) {
    if (v)
        return intid < VGIC_NR_PRIVATE;
    return intid >= VGIC_NR_PRIVATE && intid < 32 * (d->vgic.nr_banks + 1) && intid < NR_IRQS;
}

void vgic_set_level(struct domain *d, struct vcpu *v, unsigned intid, bool level) {
    const struct vgic_bank *b;
    uint32_t bit = 1u << intid % 32;

    if (!valid(d, v, intid))
        return;
    b = v ? &v->vgic.priv : &vgic_spi_bank(d, intid)->b;
    /* The line of a tied interrupt may be an old one that the guest has dealt with unseen. */
    if (!!(READ_ONCE(b->line) & bit) == level && !(READ_ONCE(b->hw) & bit))
        return;
    if (v && level)
        raise_private(v, intid, true);
    else if (v)
        change_private(v, bit, VGIC_LOWER);
    else
        change_spis(d, intid & ~31u, bit, level ? VGIC_RAISE : VGIC_LOWER);
}

bool vgic_get_level(struct domain *d, struct vcpu *v, unsigned intid) {
    const struct vgic_bank *b;

    if (!valid(d, v, intid))
        return false;
    b = v ? &v->vgic.priv : &vgic_spi_bank(d, intid)->b;
    return READ_ONCE(b->line) >> intid % 32 & 1;
}

void vgic_inject_edge(struct domain *d, struct vcpu *v, unsigned intid) {
    if (valid(d, v, intid) && v)
        raise_private(v, intid, false);
    else if (valid(d, v, intid))
        change_spis(d, intid & ~31u, 1u << intid % 32, VGIC_SET_PENDING);
}

int vgic_map_hw(struct domain *d, struct vcpu *v, unsigned intid, unsigned phys_irq) {
    struct vgic_bank *b;
    spinlock_t *lock;
    int rc = -EBUSY;

    if (!valid(d, v, intid) || intid < 16 || phys_irq < 16 || phys_irq >= NR_IRQS)
        return -EINVAL;
    b = v ? &v->vgic.priv : &vgic_spi_bank(d, intid)->b;
    lock = v ? &v->vgic.lock : &d->vgic.lock;
    spin_lock(lock);
    if (!(b->hw >> intid % 32 & 1)) {
        b->hw |= 1u << intid % 32;
        b->phys[intid % 32] = (uint16_t)phys_irq;
        rc = 0;
    }
    spin_unlock(lock);
    return rc;
}

void vgic_unmap_hw(struct domain *d, struct vcpu *v, unsigned intid) {
    struct vgic_bank *b;
    spinlock_t *lock;
    uint32_t bit = 1u << intid % 32;

    if (!valid(d, v, intid))
        return;
    /* Out of the list registers, and neither pending nor active: then its physical side is idle
     * too. */
    vgic_apply(d, v, intid & ~31u, bit, VGIC_DISABLE, true);
    vgic_apply(d, v, intid & ~31u, bit, VGIC_CLEAR_ACTIVE, true);
    vgic_apply(d, v, intid & ~31u, bit, VGIC_CLEAR_PENDING, true);
    b = v ? &v->vgic.priv : &vgic_spi_bank(d, intid)->b;
    lock = v ? &v->vgic.lock : &d->vgic.lock;
    spin_lock(lock);
    b->hw &= ~bit;
    spin_unlock(lock);
}

/* ---- SGIs ---- */

static void send_sgi(struct vcpu *to, unsigned n, unsigned group) {
    /* The register used must be that of the interrupt's group at its target (IHI 0069, 4.7). */
    if ((READ_ONCE(to->vgic.priv.group) >> n & 1) == group)
        raise_private(to, n, false);
}

static __attribute__((noinline)) void send_sgi_to_others(struct vcpu *v, unsigned n,
                                                         unsigned group) {
    struct domain *d = v->domain;

    for (unsigned i = 0; i < d->max_vcpus; i++)
        if (d->vcpus[i] != v)
            send_sgi(d->vcpus[i], n, group);
}

static void send_sgi_to(const struct vcpu *v, unsigned id, unsigned n, unsigned group) {
    if (id < v->domain->max_vcpus)
        send_sgi(v->domain->vcpus[id], n, group);
}

static __noinline void send_sgi_to_list(const struct vcpu *v, uint32_t list, unsigned first,
                                        unsigned n, unsigned group) {
    for (; list; list &= list - 1)
        send_sgi_to(v, first + ffs64(list), n, group);
}

void vgic_sgi1r(struct vcpu *v, uint64_t value, unsigned group) {
    unsigned n = (unsigned)bits_get(value, 27, 24);
    uint32_t list = (uint16_t)value;
    unsigned first = (unsigned)bits_get(value, 23, 16) * VCPUS_PER_CLUSTER;

    if (value & SGIR_IRM)
        send_sgi_to_others(v, n, group);
    else if (!list || value & (GENMASK(55, 44) | GENMASK(39, 32)))
        return; /* no vCPU has an Aff3 or Aff2, or an Aff0 above 15 (the range selector) */
    else if (!(list & (list - 1)))
        send_sgi_to(v, first + ffs64(list), n, group);
    else
        send_sgi_to_list(v, list, first, n, group);
}

void vgic_dir(struct vcpu *v, uint64_t value) {
    struct domain *d = v->domain;
    unsigned intid = (unsigned)bits_get(value, 23, 0);
    struct vcpu *own = intid < VGIC_NR_PRIVATE ? v : NULL;

    if (valid(d, own, intid))
        vgic_apply(d, own, intid & ~31u, 1u << intid % 32, VGIC_CLEAR_ACTIVE, true);
}

/* ---- life ---- */

static enum irq_result maintenance_irq(unsigned irq, void *arg) {
    (void)irq;
    (void)arg;
    vgic_maintenance();
    return IRQ_DONE;
}

void vgic_init_host(void) {
    if (irq_request(vgic_hw->maintenance_irq, IRQ_LEVEL, maintenance_irq, NULL, "vGIC maintenance"))
        panic("gic: interrupt %u cannot be had", vgic_hw->maintenance_irq);
}

unsigned vgic_max_vcpus(void) {
    return vgic_is_v2() ? VGIC_V2_MAX_VCPUS : MAX_VCPUS;
}

static int register_v3(struct domain *d) {
    int rc = mmio_register(&d->mmio, ipaddr(GUEST_GICV3_GICD_BASE), GUEST_GICV3_GICD_SIZE,
                           vgic_dist_mmio, d, "GICD");

    if (rc)
        return rc;
    return mmio_register(&d->mmio, ipaddr(GUEST_GICV3_GICR0_BASE),
                         (uint64_t)d->max_vcpus * VGIC_REDIST_SIZE, vgic_redist_mmio, d, "GICR");
}

/*
 * The guest has the first page of its CPU interface for itself. The second, where only GICC_DIR is,
 * is emulated: hardware could not tell which of more active interrupts than list registers it ends.
 */
static int register_v2(struct domain *d) {
    int rc = mmio_register(&d->mmio, ipaddr(GUEST_GICD_BASE), GUEST_GICD_SIZE, vgic_v2_dist_mmio, d,
                           "GICD");

    if (!rc)
        rc = mmio_register(&d->mmio, ipaddr(GUEST_GICC_BASE + PAGE_SIZE), PAGE_SIZE,
                           vgic_v2_dir_mmio, d, "GICC_DIR");
    /* A device would reach the interface of whatever guest is on the CPU that it is taken for. */
    d->p2m.cpu_only = true;
    if (!rc)
        rc = p2m_map_mmio(&d->p2m, ipaddr_to_gfn(ipaddr(GUEST_GICC_BASE)),
                          paddr_to_mfn(vgic_hw->gicv), 1);
    return rc;
}

static void reset_spi_bank(struct vgic_spi_bank *s) {
    if (!vgic_is_v2())
        s->b.group = ~0u;
    else
        for (unsigned n = 0; n < 32; n++)
            s->route[n] = 1; /* vCPU 0 */
}

int vgic_init_domain(struct domain *d, unsigned nr_spis) {
    struct vgic_dist *g = &d->vgic;
    int rc;

    if (nr_spis > VGIC_MAX_SPIS || !d->max_vcpus || d->max_vcpus > vgic_max_vcpus())
        return -EINVAL;
    spin_lock_init(&g->lock, RANK_VGIC_DIST, "vgic dist");
    g->nr_banks = DIV_ROUND_UP(nr_spis, 32);
    if (g->nr_banks) {
        g->spi = hv_zalloc(g->nr_banks * sizeof(*g->spi));
        if (!g->spi)
            return -ENOMEM;
        for (unsigned i = 0; i < g->nr_banks; i++)
            reset_spi_bank(&g->spi[i]);
    }
    rc = vgic_is_v2() ? register_v2(d) : register_v3(d);
    if (rc)
        vgic_destroy_domain(d);
    return rc;
}

void vgic_destroy_domain(struct domain *d) {
    hv_free(d->vgic.spi);
    d->vgic.spi = NULL;
    d->vgic.nr_banks = 0;
}

int vgic_init_vcpu(struct vcpu *v) {
    struct vgic_vcpu *g = &v->vgic;

    spin_lock_init(&g->lock, RANK_VGIC, "vgic vcpu");
    g->priv.group = vgic_is_v2() ? 0 : ~0u;
    g->priv.edge = 0xffff; /* SGIs, for ever */
    g->priv.enabled = 0xffff;
    g->waker = 1;
    vgic_reset_cpu_interface(v);
    return 0;
}

void vgic_destroy_vcpu(struct vcpu *v) {
    ASSERT(!v->vgic.loaded);
    (void)v;
}

void vgic_reset_cpu_interface(struct vcpu *v) {
    v->vgic.hw = (struct vgic_hw_state){.vmcr = vgic_hw->vmcr_reset};
}
