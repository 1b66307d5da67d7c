/*
 * List registers: what goes in, what comes back, and what happens when there are too few.
 *
 * A normal return to the guest does nothing here. A list register is read back only when its
 * interrupt changes, when room is needed, on a maintenance interrupt and on a switch of vCPUs; one
 * that the guest has long emptied costs nothing until then.
 */
#include <hv/irq.h>

#include "vgic_internal.h"

#define KEY_PENDING (1u << 16) /* not active: behind an active one of its priority */
#define NR_PRIO_KEY(prio, pending_only, intid)                                                     \
    ((uint32_t)(prio) << 17 | (pending_only ? KEY_PENDING : 0) | (intid))

static unsigned all_lrs(void) {
    return (1u << vgic_hw->nr_lrs) - 1;
}

void vgic_note_spi(struct vcpu *v, unsigned intid) {
    struct vgic_vcpu *g = &v->vgic;
    struct vgic_dist *dist = &v->domain->vgic;
    struct vgic_spi_bank *s = vgic_spi_bank(v->domain, intid);
    unsigned bank = intid / 32 - 1, n = intid % 32;
    uint32_t bit = 1u << n, wanted = vgic_bank_wanted(v->domain, &s->b);

    ASSERT(spin_is_held(&dist->lock) && spin_is_held(&g->lock) && s->home[n] == v->id);
    if (s->target[n] != v->id) {
        wanted = s->b.active; /* the vCPU that took it ends it */
        if (!((s->b.active | s->b.in_lr) & bit) && s->target[n] < v->domain->max_vcpus) {
            s->moving |= bit;
            dist->moving |= 1u << bank;
        }
    }
    if (wanted & ~s->b.in_lr & bit)
        g->spi_ready[bank] |= bit;
    else
        g->spi_ready[bank] &= ~bit;
    if (g->spi_ready[bank])
        WRITE_ONCE(g->ready_banks, g->ready_banks | 1u << bank);
    else
        WRITE_ONCE(g->ready_banks, g->ready_banks & ~(1u << bank));
}

void vgic_hw_release(struct vcpu *v, struct vgic_bank *b, unsigned intid) {
    uint32_t bit = 1u << intid % 32;

    if (!(b->hw & bit))
        return;
    b->line &= ~bit;
    if (intid >= VGIC_NR_PRIVATE || vgic_local(v)) {
        irq_chip->set_active(b->phys[intid % 32], false);
    } else if (v->vgic.loaded) {
        /* Only its CPU reaches a PPI's state. Off its CPU there is none: vgic_load() sets it. */
        v->vgic.release |= bit;
        v->vgic.resync = true;
    }
}

static void release_asked(struct vcpu *v) {
    const struct vgic_bank *b = &v->vgic.priv;

    for (uint32_t asked = v->vgic.release; asked; asked &= asked - 1)
        irq_chip->set_active(b->phys[ffs64(asked)], false);
    v->vgic.release = 0;
}

/* ---- taking back ---- */

/* The guest took the SGI of a GICv2 that was in a list register; others of its number may wait. */
static void sgi_taken(struct vcpu *v, struct vgic_bank *b, unsigned n, uint64_t lr) {
    v->vgic.sgi_from[n] &= (uint8_t) ~(1u << vgic_lr_source(lr));
    if (!v->vgic.sgi_from[n])
        b->latch &= ~(1u << n);
}

static inline bool is_v2_sgi(unsigned intid) {
    return intid < 16 && vgic_is_v2();
}

/* The bank learns what the guest did to the interrupt in list register i, which stays there.
 * Returns the register. */
static uint64_t absorb(struct vcpu *v, unsigned i, struct vgic_bank *b, unsigned intid) {
    struct vgic_lr *s = &v->vgic.lr[i];
    uint32_t bit = 1u << intid % 32;
    uint64_t lr = vgic_hw->read_lr(i);

    /* Pending no more: the guest took it. An event since then is another one. */
    if ((s->val & LR_PENDING) && !(lr & LR_PENDING) && !(s->marks & MARK_SET_PENDING)) {
        if (unlikely(is_v2_sgi(intid)))
            sgi_taken(v, b, intid, s->val);
        else
            b->latch &= ~bit;
        b->line &= ~(b->hw & bit);
    }
    if (unlikely(is_v2_sgi(intid)))
        v->vgic.sgi_taken_from[intid] = (uint8_t)vgic_lr_source(s->val);
    if (lr & LR_ACTIVE)
        b->active |= bit;
    else
        b->active &= ~bit;
    if (!s->marks)
        return lr;
    if (s->marks & MARK_SET_ACTIVE)
        b->active |= bit;
    if (s->marks & MARK_CLEAR_ACTIVE) {
        b->active &= ~bit;
        vgic_hw_release(v, b, intid);
    }
    return lr;
}

/* Empties list register i, which holds lr. */
static void drop(struct vcpu *v, unsigned i, struct vgic_bank *b, unsigned intid, uint64_t lr) {
    struct vgic_vcpu *g = &v->vgic;

    if (lr & (LR_STATE | LR_EOI)) /* an empty one with EOI asks for maintenance for ever */
        vgic_hw->write_lr(i, 0);
    b->in_lr &= ~(1u << intid % 32);
    g->used &= (uint16_t) ~(1u << i);
    if (intid >= VGIC_NR_PRIVATE) {
        WRITE_ONCE(g->spi_lrs, (uint16_t)(g->spi_lrs & ~(1u << i)));
        vgic_note_spi(v, intid);
    }
}

static void fold(struct vcpu *v, unsigned i) {
    unsigned intid = (uint32_t)v->vgic.lr[i].val;
    struct vgic_bank *b = vgic_bank(v, intid);

    drop(v, i, b, intid, absorb(v, i, b, intid));
}

/* The active interrupt of v that is in no list register and has the highest priority; 0: none. SGI
 * 0 is 1. */
static unsigned best_spilled(const struct vcpu *v) {
    const struct domain *d = v->domain;
    /* An active SPI without a list register is ready; with none, SPI banks may be read by nobody
     * without their lock. */
    unsigned last = v->vgic.ready_banks ? d->vgic.nr_banks * 32 : 0;
    uint32_t best = ~0u;

    for (unsigned first = 0; first <= last; first += 32) {
        const struct vgic_bank *b = first ? &vgic_spi_bank(d, first)->b : &v->vgic.priv;
        uint32_t spilled = b->active & ~b->in_lr;

        for (; spilled; spilled &= spilled - 1) {
            unsigned n = ffs64(spilled);
            uint32_t key = NR_PRIO_KEY(b->prio[n], 0, first + n);

            if ((!first || vgic_spi_bank(d, first)->home[n] == v->id) && key < best)
                best = key;
        }
    }
    return best == ~0u ? 0 : (best & 0xffff) + 1;
}

/*
 * The guest ended interrupts that are in no list register; hardware only counted them. ICC_DIR_EL1
 * trapped, so each was an EOI, and those come in the order of priority.
 */
static void end_spilled(struct vcpu *v) {
    unsigned count;

    if (!(v->vgic.hcr & VHCR_LRENPIE))
        return;
    ASSERT(!v->vgic.ready_banks || spin_is_held(&v->domain->vgic.lock));
    count = vgic_hw->read_hcr() >> VHCR_EOICOUNT_SHIFT;
    /* Not all hardware looks at EOImode before it counts. */
    if (vgic_hw->read_vmcr() & VMCR_EOIM)
        count = 0;
    for (; count; count--) {
        unsigned found = best_spilled(v);

        if (!found)
            break;
        found--;
        vgic_bank(v, found)->active &= ~(1u << found % 32);
        vgic_hw_release(v, vgic_bank(v, found), found);
        if (found >= VGIC_NR_PRIVATE)
            vgic_note_spi(v, found);
    }
    v->vgic.hcr = VHCR_EN;
    vgic_hw->write_hcr(VHCR_EN); /* sets the count to 0 */
}

void vgic_fold_all(struct vcpu *v) {
    end_spilled(v);
    v->vgic.again = 0; /* what is marked so is pending in its bank, and goes in again from there */
    for (uint32_t used = v->vgic.used; used; used &= used - 1)
        fold(v, ffs64(used));
}

void vgic_resample(struct vcpu *v, uint32_t mask) {
    struct vgic_bank *b = &v->vgic.priv;
    uint32_t tied = b->hw & b->line & ~b->active & mask;

    for (; tied; tied &= tied - 1) {
        unsigned n = ffs64(tied);

        if (n == VTIMER_VIRT_PPI && !vtimer_line(v))
            vgic_hw_release(v, b, n);
    }
}

/* ---- filling ---- */

/*
 * The rest of a list register with an SGI of a GICv2: it names one sender, so what other ones sent,
 * or sent again while it is active, goes in when the guest has ended this.
 */
static uint64_t add_sender(const struct vcpu *v, unsigned n, uint64_t lr) {
    unsigned from = v->vgic.sgi_from[n], source = from ? ffs64(from) : 0;

    if (lr & LR_ACTIVE) {
        source = v->vgic.sgi_taken_from[n];
        if (lr & LR_PENDING)
            lr = (lr & ~LR_PENDING) | LR_EOI;
    } else if (from & (from - 1)) {
        lr |= LR_EOI;
    }
    return lr | (uint64_t)source << LR_SOURCE_SHIFT;
}

/* The list register for an interrupt of v as its bank has it; no LR_STATE: it does not belong into
 * one. */
static inline uint64_t compose(const struct vcpu *v, const struct vgic_bank *b, unsigned intid) {
    unsigned n = intid % 32;
    uint32_t bit = 1u << n, line = b->line & ~b->edge & bit, hw = b->hw & bit;
    bool active = b->active & bit;
    bool pending = ((b->latch & bit) || (line && !active)) && (vgic_bank_open(v->domain, b) & bit);
    uint64_t lr = intid | (uint64_t)b->prio[n] << LR_PRIORITY_SHIFT;

    if (intid >= VGIC_NR_PRIVATE && vgic_spi_bank(v->domain, intid)->target[n] != v->id) {
        /* Active here, pending for another vCPU, which gets it when this one is done. */
        pending = false;
        line = 1;
    }
    /* Pending and active at once is not to be had with HW (IHI 0069, ICH_LR<n>_EL2.State). */
    if (hw)
        lr |= LR_HW | (uint64_t)b->phys[n] << LR_PHYS_SHIFT;
    else if (line)
        lr |= LR_EOI; /* if the line is still high then, it is pending again */
    if (b->group & bit)
        lr |= LR_GROUP1;
    if (active)
        lr |= LR_ACTIVE;
    if (pending && !(hw && active))
        lr |= LR_PENDING;
    return unlikely(is_v2_sgi(intid)) ? add_sender(v, n, lr) : lr;
}

static inline void write_lr(struct vcpu *v, unsigned i, uint64_t lr) {
    struct vgic_lr *s = &v->vgic.lr[i];

    s->val = lr;
    s->marks = 0;
    vgic_hw->write_lr(i, lr);
    if (lr & LR_PENDING)
        trace(TRACE_INJECT, trace_who(v), (uint32_t)lr, 0);
}

/* Into the free list register i. */
static void occupy(struct vcpu *v, unsigned i, struct vgic_bank *b, unsigned intid, uint64_t lr) {
    struct vgic_vcpu *g = &v->vgic;

    b->in_lr |= 1u << intid % 32;
    b->lr[intid % 32] = (uint8_t)i;
    g->used |= (uint16_t)(1u << i);
    if (intid >= VGIC_NR_PRIVATE) {
        WRITE_ONCE(g->spi_lrs, (uint16_t)(g->spi_lrs | 1u << i));
        vgic_note_spi(v, intid);
    }
    write_lr(v, i, lr);
}

/*
 * False: nothing is to be delivered any more. GICD_CTLR and IROUTER change without this vCPU's
 * lock, and who changed them refreshes what is ready right after.
 */
static bool put(struct vcpu *v, unsigned i, struct vgic_bank *b, unsigned intid) {
    uint64_t lr = compose(v, b, intid);

    if (!(lr & LR_STATE))
        return false;
    occupy(v, i, b, intid, lr);
    return true;
}

static void set_hcr(struct vcpu *v, uint32_t hcr) {
    if (v->vgic.hcr == hcr)
        return;
    v->vgic.hcr = hcr;
    vgic_hw->write_hcr(hcr);
}

/* While GICD_CTLR changes, spi_ready follows a little later. */
static uint32_t spis_ready(const struct vcpu *v, unsigned bank) {
    return v->vgic.spi_ready[bank] & vgic_bank_wanted(v->domain, &v->domain->vgic.spi[bank].b);
}

/* The most urgent of what is ready, sorted; returns how many there are of it in all. */
struct shortlist {
    unsigned count;
    unsigned pending;      /* of them not active */
    uint32_t best_pending; /* the key of the most urgent of those */
    uint32_t key[VGIC_MAX_LRS];
};

static void shortlist_add(struct shortlist *l, uint32_t key) {
    unsigned at = MIN(l->count, vgic_hw->nr_lrs);

    l->count++;
    if (key & KEY_PENDING) {
        if (!l->pending++ || key < l->best_pending)
            l->best_pending = key;
    }
    if (at == vgic_hw->nr_lrs && (at == 0 || l->key[at - 1] < key))
        return;
    if (at == vgic_hw->nr_lrs)
        at--;
    for (; at && l->key[at - 1] > key; at--)
        l->key[at] = l->key[at - 1];
    l->key[at] = key;
}

static void shortlist_add_bank(struct shortlist *l, const struct vgic_bank *b, unsigned first,
                               uint32_t ready) {
    for (; ready; ready &= ready - 1) {
        unsigned n = ffs64(ready);

        shortlist_add(l, NR_PRIO_KEY(b->prio[n], !(b->active >> n & 1), first + n));
    }
}

static bool any_spilled_active(struct vcpu *v) {
    return best_spilled(v) != 0;
}

/*
 * A guest that drops priority apart from deactivation (EOImode 1) takes an interrupt under any
 * number of active ones: one list register is for the most urgent pending one. Returns how many are
 * pending in all n.
 */
static unsigned make_room_for_pending(struct shortlist *l, unsigned n) {
    unsigned placed = 0;

    for (unsigned i = 0; i < n; i++)
        placed += (l->key[i] & KEY_PENDING) != 0;
    if (placed || !l->pending)
        return placed;
    l->key[n - 1] = l->best_pending;
    return 1;
}

/* More is ready than list registers are free: all are taken back, and the most urgent go in. */
static void fill_short(struct vcpu *v) {
    struct domain *d = v->domain;
    struct shortlist l = {.count = 0};
    uint32_t hcr = VHCR_EN;
    unsigned n, pending;

    vgic_fold_all(v);
    shortlist_add_bank(&l, &v->vgic.priv, 0, vgic_private_ready(v));
    for (uint32_t banks = v->vgic.ready_banks; banks; banks &= banks - 1) {
        unsigned bank = ffs64(banks);

        shortlist_add_bank(&l, &d->vgic.spi[bank].b, 32 * (bank + 1), spis_ready(v, bank));
    }
    n = MIN(l.count, vgic_hw->nr_lrs);
    pending = make_room_for_pending(&l, n);
    for (unsigned i = 0, at = 0; i < n; i++) {
        unsigned intid = l.key[i] & 0xffff;

        at += put(v, at, vgic_bank(v, intid), intid);
    }
    if (l.count > vgic_hw->nr_lrs) {
        hcr |= VHCR_UIE;
        if (l.pending > pending)
            hcr |= VHCR_NPIE;
        if (any_spilled_active(v))
            hcr |= VHCR_LRENPIE | VHCR_TDIR;
    }
    set_hcr(v, hcr);
}

/* False: no room. *free: list registers without anything. */
static bool put_bank(struct vcpu *v, struct vgic_bank *b, unsigned first, uint32_t ready,
                     uint32_t *free) {
    for (; ready; ready &= ready - 1) {
        if (!*free)
            return false;
        if (put(v, ffs64(*free), b, first + ffs64(ready)))
            *free &= *free - 1;
    }
    return true;
}

static bool put_spis(struct vcpu *v, uint32_t *free) {
    for (uint32_t banks = v->vgic.ready_banks; banks; banks &= banks - 1) {
        unsigned bank = ffs64(banks);

        if (!put_bank(v, &v->domain->vgic.spi[bank].b, 32 * (bank + 1), spis_ready(v, bank), free))
            return false;
    }
    return true;
}

void vgic_fill(struct vcpu *v, bool with_spis) {
    uint32_t free = all_lrs() & ~v->vgic.used;
    bool room = v->vgic.hcr == VHCR_EN; /* else there was too little: choose again among all */

    ASSERT(vgic_local(v));
    room = room && put_bank(v, &v->vgic.priv, 0, vgic_private_ready(v), &free);
    if (with_spis)
        room = room && put_spis(v, &free);
    if (room)
        return;
    if (with_spis || !vgic_needs_dist(v))
        fill_short(v);
    else
        vcpu_set_work(v, VCPU_WORK_IRQ); /* vgic_flush() comes with the dist lock */
}

/* Into list register i, which the guest has emptied, what it held last. */
static inline void pend_again(struct vcpu *v, unsigned i, uint8_t prio) {
    struct vgic_lr *s = &v->vgic.lr[i];

    s->val &= ~(LR_ACTIVE | 0xffULL << LR_PRIORITY_SHIFT | (s->val & LR_HW ? 0 : LR_EOI));
    s->val |= LR_PENDING | (uint64_t)prio << LR_PRIORITY_SHIFT;
    vgic_hw->write_lr(i, s->val);
    trace(TRACE_INJECT, trace_who(v), (uint32_t)s->val, 0);
}

bool vgic_refill(struct vcpu *v, unsigned n, bool line) {
    struct vgic_bank *b = &v->vgic.priv;
    unsigned i = b->lr[n];
    struct vgic_lr *s = &v->vgic.lr[i];
    uint32_t bit = 1u << n;

    /* What to write must not depend on the line: it is tied, an edge, or the line is low. */
    if (!(b->in_lr & bit & (line ? b->hw : b->edge | ~(b->hw | b->line))) || v->vgic.hcr != VHCR_EN)
        return false;
    /* It was pending there, so it is enabled: vgic_update() follows every change of that. */
    if (!(s->val & LR_PENDING) || s->marks || (vgic_hw->read_lr(i) & LR_STATE))
        return false;
    b->active &= ~bit;
    if (line)
        b->line |= bit;
    else
        b->latch |= bit;
    pend_again(v, i, b->prio[n]);
    return true;
}

bool vgic_send_remote(struct vcpu *v, unsigned n, bool *kick) {
    struct vgic_vcpu *g = &v->vgic;
    struct vgic_bank *b = &g->priv;
    struct vgic_lr *s = &g->lr[b->lr[n]];
    uint32_t bit = 1u << n, held = b->in_lr & bit, open = vgic_bank_open(v->domain, b) & bit;

    if ((b->hw | (b->line & ~b->edge)) & bit)
        return false;
    /* One that is closed may be there for being active alone, and is not to become pending. */
    if (held && (!open || (s->val & (LR_HW | LR_EOI))))
        return false;
    b->latch |= bit;
    if (held) {
        s->marks |= MARK_SET_PENDING;
        g->again |= (uint16_t)(1u << b->lr[n]);
    }
    *kick = open;
    if (open)
        vcpu_set_work(v, VCPU_WORK_IRQ);
    return true;
}

/* What vgic_send_remote() left for this CPU. The bank has it pending already. */
static void send_again(struct vcpu *v) {
    struct vgic_vcpu *g = &v->vgic;

    for (uint32_t again = g->again & g->used; again; again &= again - 1) {
        unsigned i = ffs64(again);
        struct vgic_lr *s = &g->lr[i];
        uint64_t lr;

        if (s->marks != MARK_SET_PENDING)
            continue; /* it was taken back meanwhile, and holds something else */
        lr = vgic_hw->read_lr(i);
        if (!(lr & LR_STATE)) {
            unsigned n = (uint32_t)s->val % 32;

            g->priv.active &= ~(1u << n);
            pend_again(v, i, g->priv.prio[n]);
        } else if (!(lr & LR_PENDING)) {
            s->val |= LR_STATE;
            vgic_hw->write_lr(i, s->val);
        }
        s->marks = 0;
    }
    g->again = 0;
}

void vgic_absorb(struct vcpu *v, struct vgic_bank *b, unsigned intid) {
    absorb(v, b->lr[intid % 32], b, intid);
}

void vgic_update(struct vcpu *v, struct vgic_bank *b, unsigned intid) {
    struct vgic_vcpu *g = &v->vgic;
    bool spi = intid >= VGIC_NR_PRIVATE;
    uint64_t lr = compose(v, b, intid);
    uint32_t bit = 1u << intid % 32, free = all_lrs() & ~g->used;

    ASSERT(vgic_local(v) && spin_is_held(&g->lock));
    if (b->in_lr & bit) {
        unsigned i = b->lr[intid % 32];

        /* With too few of them its neighbours matter too. */
        if ((lr & LR_STATE) && g->hcr == VHCR_EN)
            write_lr(v, i, lr);
        else
            drop(v, i, b, intid, LR_STATE);
    } else if ((lr & LR_STATE) && free && g->hcr == VHCR_EN) {
        occupy(v, ffs64(free), b, intid, lr);
    } else {
        if (spi)
            vgic_note_spi(v, intid);
        if (lr & LR_STATE)
            vgic_fill(v, spi);
    }
    if (g->hcr != VHCR_EN)
        vgic_fill(v, spi);
}

bool vgic_settle(struct vcpu *v, bool with_spis) {
    struct vgic_vcpu *g = &v->vgic;

    ASSERT(spin_is_held(&g->lock));
    if (vgic_local(v)) {
        vgic_fill(v, with_spis);
        return vgic_waits(v) && g->used;
    }
    if (!vgic_private_ready(v) && !g->ready_banks && !g->resync)
        return false;
    vcpu_set_work(v, VCPU_WORK_IRQ);
    return true;
}

/* ---- whole-vCPU operations ---- */

/* Takes v's lock, and the dist lock before it if SPIs are involved (true). */
static bool lock_all(struct vcpu *v) {
    struct vgic_vcpu *g = &v->vgic;

    for (;;) {
        bool dist = vgic_needs_dist(v);

        if (dist)
            spin_lock(&v->domain->vgic.lock);
        spin_lock(&g->lock);
        if (dist || !vgic_needs_dist(v))
            return dist;
        /* An SPI became ready while we waited: with the dist lock then. */
        spin_unlock(&g->lock);
    }
}

static void unlock_all(struct vcpu *v, bool dist) {
    spin_unlock(&v->vgic.lock);
    if (dist)
        vgic_dist_unlock(v->domain);
}

void vgic_flush(struct vcpu *v) {
    bool dist;

    vcpu_clear_work(v, VCPU_WORK_IRQ);
    dist = lock_all(v);
    if (v->vgic.loaded) {
        if (v->vgic.resync) {
            vgic_fold_all(v);
            release_asked(v);
            vgic_resample(v, ~0u);
            __atomic_store_n(&v->vgic.resync, false, __ATOMIC_RELEASE);
        } else if (v->vgic.again) {
            send_again(v);
        }
        if (vgic_private_ready(v) || v->vgic.ready_banks || v->vgic.hcr != VHCR_EN)
            vgic_fill(v, dist);
    }
    unlock_all(v, dist);
}

void vgic_maintenance(void) {
    struct vcpu *v = current;
    bool dist;

    if (!v->domain || !v->vgic.loaded)
        return; /* it was raised for a vCPU that has left; its state was taken back then */
    dist = lock_all(v);
    vgic_fold_all(v);
    vgic_fill(v, dist);
    unlock_all(v, dist);
}

/* Physical state of v's tied PPIs on this CPU: none while another vCPU is here. */
static void switch_hw_ppis(const struct vcpu *v, bool in) {
    const struct vgic_bank *b = &v->vgic.priv;
    uint32_t busy = b->hw & (b->line | b->active);

    for (uint32_t asked = v->vgic.asked; unlikely(asked); asked &= asked - 1)
        irq_chip->set_pending(b->phys[ffs64(asked)], in);
    for (; busy; busy &= busy - 1)
        irq_chip->set_active(b->phys[ffs64(busy)], in);
}

void vgic_save(struct vcpu *v) {
    bool dist = lock_all(v);

    vgic_fold_all(v);
    vgic_resample(v, ~0u);
    switch_hw_ppis(v, false);
    release_asked(v);
    v->vgic.loaded = false;
    __atomic_store_n(&v->vgic.resync, false, __ATOMIC_RELEASE);
    vgic_hw->save(&v->vgic.hw);
    vgic_hw->write_hcr(0);
    v->vgic.hcr = 0;
    unlock_all(v, dist);
}

void vgic_load(struct vcpu *v) {
    bool dist = lock_all(v);

    vgic_hw->load(&v->vgic.hw);
    v->vgic.loaded = true;
    v->vgic.hcr = VHCR_EN;
    vgic_hw->write_hcr(VHCR_EN);
    switch_hw_ppis(v, true);
    vgic_fill(v, dist);
    unlock_all(v, dist);
}

/* A list register holds something the guest's CPU interface would signal, were it not for PSTATE.I.
 */
static bool lr_signals(const struct vcpu *v) {
    uint32_t vmcr = vgic_hw->read_vmcr(), pmr = vmcr >> VMCR_PMR_SHIFT;

    for (uint32_t used = v->vgic.used; used; used &= used - 1) {
        uint64_t lr = vgic_hw->read_lr(ffs64(used));

        if ((lr & LR_PENDING) && (vmcr & (lr & LR_GROUP1 ? VMCR_ENG1 : VMCR_ENG0)) &&
            (uint8_t)(lr >> LR_PRIORITY_SHIFT) < pmr)
            return true;
    }
    return false;
}

bool vgic_has_pending(const struct vcpu *v) {
    const struct vgic_bank *b = &v->vgic.priv;

    if (vgic_private_ready(v) & ~b->active)
        return true;
    return READ_ONCE(v->vgic.ready_banks) || (vgic_local(v) && v->vgic.used && lr_signals(v));
}
