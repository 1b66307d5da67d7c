/*
 * Event channels that the device tree makes (Xen's binding xen,evtchn-v1): a node in each of two
 * domains, each naming its own port and the other node.
 */
#include <hv/bits.h>
#include <hv/domain.h>
#include <hv/errno.h>
#include <hv/events.h>
#include <hv/fdt.h>
#include <hv/guests.h>

#include <libfdt.h>

static const char prop[] = "xen,evtchn";

/* Port and phandle of one end; false: not two cells. */
static bool read_end(const void *fdt, int node, uint32_t *port, uint32_t *peer) {
    int len;
    const fdt32_t *c = fdt_getprop(fdt, node, prop, &len);

    if (!c || len != 8)
        return false;
    *port = fdt32_ld(&c[0]);
    *peer = fdt32_ld(&c[1]);
    return true;
}

/* The other end, which must say the same of us. NULL after a line. */
static const struct guest_config *find_peer(const struct guest_config *cfg, int node,
                                            uint32_t phandle, uint32_t *peer_port) {
    const void *fdt = cfg->fdt;
    int peer = fdt_node_offset_by_phandle(fdt, phandle);
    const struct guest_config *g = NULL;
    uint32_t back;

    if (peer >= 0 && fdt_compatible(fdt, peer, "xen,evtchn-v1"))
        g = guest_of_node(fdt_parent_offset(fdt, peer));
    if (!g)
        guest_error(cfg, node, prop, "expected the event channel of a domain, got phandle 0x%x",
                    phandle);
    else if (peer == node || !read_end(fdt, peer, peer_port, &back) ||
             back != fdt_get_phandle(fdt, node))
        guest_error(cfg, node, prop, "expected an event channel that leads back here");
    else
        return g;
    return NULL;
}

static int make_one(struct domain *d, const struct guest_config *cfg, int node) {
    const struct guest_config *peer;
    uint32_t port, phandle, peer_port;
    int rc;

    if (!read_end(cfg->fdt, node, &port, &phandle))
        return guest_error(cfg, node, prop, "expected a port and the other end's phandle");
    peer = find_peer(cfg, node, phandle, &peer_port);
    if (!peer)
        return -EINVAL;
    rc = evtchn_make_static(d, port, peer->domid, peer_port);
    if (rc == -ENOSPC)
        return guest_error(cfg, node, prop, "expected a port from 1 to %u, got %u",
                           MIN(d->max_evtchn_port, EVTCHN_STATIC_MAX), port);
    if (rc == -EEXIST)
        return guest_error(cfg, node, prop, "expected a port that is free, %u is not", port);
    return rc ? guest_error(cfg, node, prop, "no memory for it") : 0;
}

int static_evtchns_make(struct domain *d, const struct guest_config *cfg) {
    int node, rc = 0;

    fdt_for_each_subnode(node, cfg->fdt, cfg->node) {
        if (!rc && fdt_compatible(cfg->fdt, node, "xen,evtchn-v1") && fdt_enabled(cfg->fdt, node))
            rc = make_one(d, cfg, node);
    }
    return rc;
}
