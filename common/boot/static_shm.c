/* Static shared memory of the boot device tree: read, checked, reserved. */
#include <hv/static_shm.h>

#include <hv/bits.h>
#include <hv/errno.h>
#include <hv/fdt.h>
#include <hv/mm.h>
#include <hv/string.h>

#include <libfdt.h>

static const char prop[] = "xen,shared-mem", id_prop[] = "xen,shm-id";

static struct shm_region regions[SHM_REGIONS_MAX];
static unsigned nr_regions;

struct shm_region *static_shm_region(unsigned n) {
    return n < nr_regions ? &regions[n] : NULL;
}

/* ---- reading one node ---- */

struct node {
    int at;
    const char *id;
    uint64_t host, guest, size;
    bool owner;
};

static int read_role(const struct guest_config *cfg, struct node *n) {
    const char *role;
    int rc = fdt_str(cfg->fdt, n->at, "role", &role);

    n->owner = !rc && !strcmp(role, "owner");
    if (rc == -ENOENT || n->owner || (!rc && !strcmp(role, "borrower")))
        return 0;
    return guest_error(cfg, n->at, "role", "expected \"owner\" or \"borrower\"");
}

/* Host address, guest address and size, or without the first. */
static int read_place(const struct guest_config *cfg, struct node *n) {
    uint64_t value[3];
    unsigned ac, sc, cells, at = 0;
    const fdt32_t *p;
    int len = 0;

    fdt_cells(cfg->fdt, cfg->node, &ac, &sc);
    p = fdt_getprop(cfg->fdt, n->at, prop, &len);
    cells = p ? (unsigned)len / 4 : 0;
    if (!p || ac < 1 || ac > 2 || sc < 1 || sc > 2 || (unsigned)len % 4 ||
        (cells != ac + sc && cells != 2 * ac + sc))
        return guest_error(cfg, n->at, prop,
                           "expected addresses of %u cells, host (if any) and guest, and a size of "
                           "%u, got %d bytes",
                           ac, sc, p ? len : 0);
    for (unsigned i = cells == ac + sc; i < 3; i++) {
        value[i] = 0;
        for (unsigned k = 0; k < (i < 2 ? ac : sc); k++)
            value[i] = value[i] << 32 | fdt32_ld(&p[at++]);
    }
    n->host = cells == ac + sc ? SHM_ANYWHERE : value[0];
    n->guest = value[1];
    n->size = value[2];
    return 0;
}

static int read_node(const struct guest_config *cfg, int at, struct node *n) {
    int rc;

    n->at = at;
    if (fdt_str(cfg->fdt, at, id_prop, &n->id) || !n->id[0] || strlen(n->id) >= SHM_ID_MAX)
        return guest_error(cfg, at, id_prop, "expected a name of 1 to %u characters",
                           SHM_ID_MAX - 1);
    rc = read_role(cfg, n);
    if (!rc)
        rc = read_place(cfg, n);
    if (rc)
        return rc;
    if (!n->size || !IS_ALIGNED(n->size | n->guest, PAGE_SIZE) || n->guest + n->size < n->guest ||
        (n->host != SHM_ANYWHERE &&
         (!IS_ALIGNED(n->host, PAGE_SIZE) || n->host + n->size < n->host)))
        return guest_error(cfg, at, prop, "expected whole pages of 4 KiB that end before 2^64");
    return 0;
}

/* ---- against the rest ---- */

static struct shm_region *find(const char *id) {
    for (unsigned i = 0; i < nr_regions; i++)
        if (!strcmp(regions[i].id, id))
            return &regions[i];
    return NULL;
}

static int check_known(const struct guest_config *cfg, const struct node *n,
                       const struct shm_region *r) {
    if (n->size != r->size)
        return guest_error(cfg, n->at, prop, "expected a size of 0x%llx as elsewhere, got 0x%llx",
                           (unsigned long long)r->size, (unsigned long long)n->size);
    if (n->host != r->host)
        return guest_error(cfg, n->at, prop, "expected the host address that is said elsewhere");
    if (n->owner && r->has_owner)
        return guest_error(cfg, n->at, "role", "expected one owner of \"%s\", got two", n->id);
    return 0;
}

static int check_new(const struct guest_config *cfg, const struct node *n) {
    if (n->host == SHM_ANYWHERE)
        return 0;
    if (!boot_mem_is_ram(paddr(n->host), n->size))
        return guest_error(cfg, n->at, prop, "expected RAM at 0x%llx", (unsigned long long)n->host);
    if (boot_mem_is_reserved(paddr(n->host), n->size))
        return guest_error(cfg, n->at, prop, "expected memory of its own, 0x%llx is taken",
                           (unsigned long long)n->host);
    return 0;
}

static int check_neighbours(const struct guest_config *cfg, const struct node *all, unsigned i) {
    for (unsigned k = 0; k < i; k++) {
        if (!strcmp(all[k].id, all[i].id))
            return guest_error(cfg, all[i].at, id_prop,
                               "expected each region once, got \"%s\" twice", all[i].id);
        if (all[i].guest < all[k].guest + all[k].size && all[k].guest < all[i].guest + all[i].size)
            return guest_error(cfg, all[i].at, prop, "overlaps another region of the domain");
        if (all[i].host != SHM_ANYWHERE && all[k].host != SHM_ANYWHERE &&
            all[i].host < all[k].host + all[k].size && all[k].host < all[i].host + all[i].size)
            return guest_error(cfg, all[i].at, prop, "overlaps another region's host memory");
    }
    return 0;
}

static int read_all(const struct guest_config *cfg, struct node all[SHM_PER_GUEST_MAX],
                    unsigned *nr) {
    int node, rc;

    *nr = 0;
    fdt_for_each_subnode(node, cfg->fdt, cfg->node) {
        const struct shm_region *known;

        if (!fdt_compatible(cfg->fdt, node, SHM_COMPATIBLE) || !fdt_enabled(cfg->fdt, node))
            continue;
        if (*nr == SHM_PER_GUEST_MAX)
            return guest_error(cfg, node, NULL, "expected at most %u regions of shared memory",
                               SHM_PER_GUEST_MAX);
        rc = read_node(cfg, node, &all[*nr]);
        if (rc)
            return rc;
        known = find(all[*nr].id);
        rc = known ? check_known(cfg, &all[*nr], known) : check_new(cfg, &all[*nr]);
        if (!rc)
            rc = check_neighbours(cfg, all, *nr);
        if (rc)
            return rc;
        (*nr)++;
    }
    return 0;
}

static int add_region(const struct guest_config *cfg, const struct node *n) {
    struct shm_region *r = find(n->id);

    if (!r) {
        if (nr_regions == SHM_REGIONS_MAX)
            return guest_error(cfg, n->at, id_prop, "expected at most %u regions of shared memory",
                               SHM_REGIONS_MAX);
        if (n->host != SHM_ANYWHERE && boot_mem_reserve(paddr(n->host), n->size))
            return guest_error(cfg, n->at, prop, "too many reserved ranges");
        r = &regions[nr_regions++];
        hv_strlcpy(r->id, n->id, sizeof(r->id));
        r->host = n->host;
        r->size = n->size;
    }
    r->has_owner |= n->owner;
    return 0;
}

int static_shm_claim(const struct guest_config *cfg) {
    struct node all[SHM_PER_GUEST_MAX];
    unsigned nr;
    int rc = read_all(cfg, all, &nr);

    for (unsigned i = 0; !rc && i < nr; i++)
        rc = add_region(cfg, &all[i]);
    return rc;
}

unsigned static_shm_of(const struct guest_config *cfg, struct guest_shm out[SHM_PER_GUEST_MAX]) {
    unsigned nr = 0;
    int node;

    fdt_for_each_subnode(node, cfg->fdt, cfg->node) {
        struct node n = {.at = node};

        if (!fdt_compatible(cfg->fdt, node, SHM_COMPATIBLE) || !fdt_enabled(cfg->fdt, node))
            continue;
        if (nr == SHM_PER_GUEST_MAX || read_node(cfg, node, &n))
            break;
        out[nr].region = find(n.id);
        out[nr++].guest = n.guest;
    }
    return nr;
}
