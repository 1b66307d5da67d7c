/*
 * The console ring of Xen's public io/console.h, with Holdfast at its other end: text is taken
 * while the guest sends its event, keys come as the focus of the console says. The ring's indices
 * are the guest's to write, so ours are kept apart and only told to it.
 */
#include <hv/bits.h>
#include <hv/domain.h>
#include <hv/errno.h>
#include <hv/events.h>
#include <hv/guest_console.h>
#include <hv/guest_map.h>
#include <hv/hypercall.h>
#include <hv/mm.h>
#include <hv/page.h>
#include <hv/string.h>

#include <asm/barrier.h>

#include <xen/io/console.h>

#include "abi.h"

#define CHUNK 128u /* at once, on the vCPU's stack */

_Static_assert(sizeof(struct xencons_interface) <= PAGE_SIZE, "it has a page");

struct pv_console {
    struct domain *domain;
    struct xencons_interface *ring; /* a hypervisor page that the guest sees */
    uint32_t evtchn;
    struct console_port port;
    spinlock_t lock;            /* RANK_VPL011: all below */
    uint32_t out_cons, in_prod; /* run freely */
    bool draining, drain_again; /* one vCPU drains, so that text stays in order */
};

/* Text that waits in the ring; none if the guest's index makes no sense. */
static uint32_t waiting_locked(struct pv_console *c) {
    uint32_t prod = READ_ONCE(c->ring->out_prod);
    uint32_t n = prod - c->out_cons;

    if (likely(n <= sizeof(c->ring->out)))
        return n;
    c->out_cons = prod;
    WRITE_ONCE(c->ring->out_cons, prod);
    return 0;
}

static unsigned take_text_locked(struct pv_console *c, char *text) {
    uint32_t n = MIN(waiting_locked(c), CHUNK);

    smp_rmb(); /* the text is there before the index says so */
    for (uint32_t i = 0; i < n; i++)
        text[i] = READ_ONCE(c->ring->out[MASK_XENCONS_IDX(c->out_cons + i, c->ring->out)]);
    c->out_cons += n;
    smp_mb(); /* it is read before its place is free */
    WRITE_ONCE(c->ring->out_cons, c->out_cons);
    return n;
}

/* One piece of text; false: there is none, and this vCPU drains no more. */
static bool drain_some(struct pv_console *c, struct vcpu *v) {
    char text[CHUNK];
    unsigned n;

    spin_lock(&c->lock);
    c->drain_again = false;
    n = take_text_locked(c, text);
    spin_unlock(&c->lock);
    guest_console_write(&c->port, text, n);
    preempt_point();
    spin_lock(&c->lock);
    c->draining = (n || c->drain_again) && !abi_must_stop(v);
    n = c->draining;
    spin_unlock(&c->lock);
    return n;
}

/* The guest's event: it wrote text, or took keys. One that found the ring full is told of room. */
static void kicked(struct domain *d, void *arg) {
    struct pv_console *c = arg;
    bool full, mine;

    (void)d;
    spin_lock(&c->lock);
    full = waiting_locked(c) == sizeof(c->ring->out);
    mine = !c->draining;
    c->draining = c->drain_again = true;
    spin_unlock(&c->lock);
    while (mine && drain_some(c, current))
        ;
    if (full)
        evtchn_notify(c->domain, c->evtchn);
    console_retry(&c->port);
}

static bool key_in(void *arg, char key) {
    struct pv_console *c = arg;
    bool room;

    spin_lock(&c->lock);
    room = c->in_prod - READ_ONCE(c->ring->in_cons) < sizeof(c->ring->in);
    if (room) {
        WRITE_ONCE(c->ring->in[MASK_XENCONS_IDX(c->in_prod, c->ring->in)], key);
        smp_wmb();
        WRITE_ONCE(c->ring->in_prod, ++c->in_prod);
    }
    spin_unlock(&c->lock);
    if (room)
        evtchn_notify(c->domain, c->evtchn);
    return room;
}

static int map_ring(struct pv_console *c) {
    struct domain *d = c->domain;
    int rc;

    c->ring = xenheap_alloc(0);
    if (!c->ring)
        return -ENOMEM;
    p2m_clear_page(c->ring);
    rc = xenheap_share(c->ring, &d->pages);
    if (rc) {
        xenheap_free(c->ring, 0);
        c->ring = NULL;
        return rc;
    }
    return p2m_map(&d->p2m, ipaddr_to_gfn(ipaddr(GUEST_MAGIC_BASE)),
                   page_to_mfn(virt_to_page(c->ring)), 0, P2M_XENHEAP_RW);
}

int abi_pv_console_init(struct domain *d) {
    struct pv_console *c = hv_zalloc(sizeof(*c));
    int rc;

    if (!c)
        return -ENOMEM;
    c->domain = d;
    spin_lock_init(&c->lock, RANK_VPL011, "pv console");
    list_init(&c->port.link);
    d->abi->pv_console = c; /* whatever fails now is undone with the domain */
    rc = map_ring(c);
    if (!rc)
        rc = evtchn_alloc_internal(d, 0, kicked, c, &c->evtchn);
    if (rc)
        return rc;
    d->abi->console_pfn = GUEST_MAGIC_BASE >> PAGE_SHIFT;
    d->abi->console_evtchn = c->evtchn;
    hv_snprintf(c->port.name, sizeof(c->port.name), "%s%s", d->name, d->vpl011 ? " hvc0" : "");
    hv_snprintf(c->port.prefix, sizeof(c->port.prefix), "(d%u) ", d->id);
    c->port.input = key_in;
    c->port.arg = c;
    console_add_port(&c->port);
    return 0;
}

void pv_console_die(struct domain *d) {
    if (d->abi->pv_console)
        console_remove_port(&d->abi->pv_console->port);
}

void pv_console_destroy(struct domain *d) {
    struct pv_console *c = d->abi->pv_console;

    if (!c)
        return;
    if (c->ring)
        xenheap_unshare(c->ring);
    hv_free(c);
    d->abi->pv_console = NULL;
}
