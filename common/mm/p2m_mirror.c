/* Giving a p2m its mirror, and showing what it maps (contract in hv/p2m.h). */
#include <hv/printk.h>

#include "p2m_internal.h"

struct visit {
    p2m_visit_fn fn;
    void *arg;
};

static int visit_leaf(void *arg, uint64_t va, uint64_t size, pte_t e, unsigned level) {
    const struct visit *v = arg;

    (void)level;
    if (!pte_is_valid(e))
        return 0;
    return v->fn(v->arg, gfn(va >> PAGE_SHIFT), mfn(pte_addr(e) >> PAGE_SHIFT), size >> PAGE_SHIFT,
                 p2m_pte_type(e));
}

int p2m_visit_locked(struct p2m *p2m, p2m_visit_fn fn, void *arg) {
    struct visit v = {fn, arg};

    ASSERT(rw_is_held(&p2m->lock));
    return pt_walk(&p2m->pt, 0, 1ULL << p2m->pt.addr_bits, visit_leaf, &v);
}

struct follow {
    const struct p2m_mirror_ops *ops;
    void *arg;
};

static int follow_leaf(void *arg, gfn_t g, mfn_t m, uint64_t nr, enum p2m_type t) {
    const struct follow *f = arg;
    int rc = f->ops->prepare(f->arg, g, m, nr, t);

    if (!rc)
        f->ops->map(f->arg, g, m, nr, t);
    return rc;
}

int p2m_set_mirror(struct p2m *p2m, const struct p2m_mirror_ops *ops, void *arg) {
    struct follow f = {ops, arg};
    int rc = 0;

    write_lock(&p2m->lock);
    if (ops)
        rc = p2m_visit_locked(p2m, follow_leaf, &f);
    if (!rc) {
        p2m->mirror = ops;
        p2m->mirror_arg = arg;
    }
    write_unlock(&p2m->lock);
    return rc;
}
