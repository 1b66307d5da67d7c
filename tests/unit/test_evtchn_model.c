/* clang-format off */
/* SOURCES: common/abi/evtchn.c common/abi/evtchn_port.c common/abi/evtchn_pending.c common/abi/evtchn_hv.c common/abi/event_fifo.c common/abi/vcpu_info.c common/abi/guest_atomic.c common/abi/policy.c */
/* clang-format on */
/*
 * Random event channel operations of three domains, with both ABIs, against a model that is a table
 * of ports and, for FIFO, a list for each queue. Guests consume their events as Linux does, and
 * what they find is compared. MODEL_SEED= and MODEL_STEPS= choose the operations.
 */
#include "evtchn_world.h"

#define MAX_PORT 100u
#define ARRAY_GFN 2u
#define INFO_GFN 3u
#define FIFO_BIT(name) (1u << EVTCHN_FIFO_##name)

enum kind { FREE, UNBOUND, INTER, VIRQ, IPI, INTERNAL };

struct port {
    enum kind kind;
    unsigned remote, rport; /* a domain and its port */
    unsigned virq, vcpu, prio;
    bool pending, linked;
};

struct model {
    unsigned max;
    bool fifo, words, control[NR_VCPUS];
    unsigned info[NR_VCPUS]; /* at which of two places; 0: not registered */
    struct port p[MAX_PORT + 1];
    struct {
        unsigned n, port[MAX_PORT + 1];
    } queue[NR_VCPUS][EVTCHN_FIFO_MAX_QUEUES];
};

static struct model models[NR_DOMS + 1];
static uint64_t seed;
static unsigned done[32]; /* operations that succeeded, by number */

static unsigned rnd(unsigned n) {
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (unsigned)(seed >> 33) % n;
}

/* ---- what guests see ---- */

static uint32_t *word_at(unsigned dom, unsigned port) {
    return (uint32_t *)ram_page(dom, ARRAY_GFN) + port;
}
static struct evtchn_fifo_control_block *control_of(unsigned dom, unsigned vcpu) {
    return (void *)((char *)ram_page(dom, CONTROL_GFN) + 128 * vcpu);
}
static struct vcpu_info *info_of(unsigned dom, unsigned vcpu) {
    if (models[dom].info[vcpu])
        return (void *)((char *)ram_page(dom, INFO_GFN) + 64 * vcpu +
                        1024 * models[dom].info[vcpu]);
    return vcpu ? &doms[dom]->abi->events.vcpu[vcpu].own : &shared_of(dom)->vcpu_info[0];
}

static bool is_masked(unsigned dom, unsigned port) {
    if (models[dom].fifo)
        return models[dom].words && (*word_at(dom, port) & FIFO_BIT(MASKED));
    return shared_of(dom)->evtchn_mask[port / 64] >> port % 64 & 1;
}

/* ---- the model's side of an event ---- */

static void model_link(struct model *m, unsigned port) {
    struct port *p = &m->p[port];

    if (!p->linked && m->control[p->vcpu]) {
        p->linked = true;
        m->queue[p->vcpu][p->prio].port[m->queue[p->vcpu][p->prio].n++] = port;
    }
}

static void model_raise(unsigned dom, unsigned port) {
    struct model *m = &models[dom];

    m->p[port].pending = true;
    if (m->fifo && m->words && !is_masked(dom, port))
        model_link(m, port);
}

static void model_free(unsigned dom, unsigned port) {
    struct port *p = &models[dom].p[port];

    if (p->kind == INTER) {
        models[p->remote].p[p->rport].kind = UNBOUND;
        models[p->remote].p[p->rport].remote = dom;
    }
    *p = (struct port){.linked = p->linked};
}

static unsigned lowest_free(const struct model *m) {
    for (unsigned i = 1; i <= m->max; i++)
        if (m->p[i].kind == FREE && !m->p[i].linked)
            return i;
    return 0;
}

/* ---- guests consume ---- */

static void reported(unsigned dom, unsigned port) {
    assert_true(models[dom].p[port].pending);
    assert_false(is_masked(dom, port));
    models[dom].p[port].pending = false;
}

static void consume_queue(unsigned dom, unsigned vcpu, unsigned q) {
    struct model *m = &models[dom];
    struct evtchn_fifo_control_block *c = control_of(dom, vcpu);
    unsigned port = c->head[q];

    assert_true(m->control[vcpu]);
    for (unsigned i = 0; i < m->queue[vcpu][q].n; i++) {
        uint32_t *w = word_at(dom, port);

        assert_int_equal(port, m->queue[vcpu][q].port[i]);
        assert_true(*w & FIFO_BIT(LINKED));
        m->p[port].linked = false;
        if ((*w & (FIFO_BIT(PENDING) | FIFO_BIT(MASKED))) == FIFO_BIT(PENDING)) {
            reported(dom, port);
            *w &= ~FIFO_BIT(PENDING);
        }
        port = *w & EVTCHN_FIFO_LINK_MASK;
        *w &= ~(FIFO_BIT(LINKED) | (uint32_t)EVTCHN_FIFO_LINK_MASK);
    }
    assert_int_equal(port, 0);
    m->queue[vcpu][q].n = 0;
    c->ready &= ~(1u << q);
}

static void consume_fifo(unsigned dom, unsigned vcpu) {
    for (unsigned q = 0; q < EVTCHN_FIFO_MAX_QUEUES; q++)
        if (models[dom].control[vcpu] && (control_of(dom, vcpu)->ready >> q & 1))
            consume_queue(dom, vcpu, q);
}

static void consume_2l(unsigned dom, struct vcpu_info *info) {
    struct shared_info *s = shared_of(dom);
    uint64_t sel = info->evtchn_pending_sel;

    info->evtchn_pending_sel = 0;
    for (unsigned port = 1; port <= MAX_PORT; port++) {
        uint64_t bit = 1ULL << port % 64;

        if ((sel >> port / 64 & 1) && (s->evtchn_pending[port / 64] & bit) &&
            !is_masked(dom, port)) {
            reported(dom, port);
            s->evtchn_pending[port / 64] &= ~bit;
        }
    }
}

/* Only who was told looks; and then everything there is has been found. */
static void consume_all(unsigned dom) {
    struct model *m = &models[dom];

    for (unsigned v = 0; v < NR_VCPUS; v++) {
        struct vcpu_info *info = info_of(dom, v);

        assert_int_equal(!!info->evtchn_upcall_pending, upcall[dom][v]);
        if (!upcall[dom][v])
            continue;
        upcall[dom][v] = false;
        info->evtchn_upcall_pending = 0;
        if (m->fifo) {
            consume_fifo(dom, v);
            info->evtchn_pending_sel = 0; /* for the day it is 2-level again */
        } else
            consume_2l(dom, info);
    }
    for (unsigned v = 0; v < NR_VCPUS; v++)
        for (unsigned q = 0; q < EVTCHN_FIFO_MAX_QUEUES; q++)
            assert_int_equal(m->queue[v][q].n, 0);
    for (unsigned port = 1; !m->fifo && port <= MAX_PORT; port++)
        assert_true(!m->p[port].pending || is_masked(dom, port));
}

/* ---- operations: each carries itself out on both sides and compares the results ---- */

static hv_domid_t some_domid(void) {
    static const hv_domid_t ids[] = {DOMID_SELF, 1, 2, 3, 1, 2, 3, 77};

    return ids[rnd(ARRAY_SIZE(ids))];
}

static unsigned resolve(unsigned dom, hv_domid_t id) {
    return id == DOMID_SELF ? dom : id <= NR_DOMS ? id : 0;
}

static bool allowed(unsigned a, unsigned b) {
    return a == b || a == 2 || b == 2;
}

/* A new port's number, or an error. True: the model has to make it. */
static bool came_out(int64_t rc, int64_t expected, unsigned got, unsigned number) {
    if (rc == -ENOMEM && !fail_alloc)
        return false; /* it was made to fail, and changed nothing */
    if (!expected && unwritable) {
        assert_int_equal(rc, -EFAULT);
        return false;
    }
    assert_int_equal(rc, expected);
    if (rc)
        return false;
    assert_int_equal(got, number);
    return true;
}

/* Who calls for it: itself, or a privileged one. */
static unsigned someone_for(unsigned dom) {
    return rnd(2) ? dom : 1 + rnd(NR_DOMS);
}

static bool op_alloc_unbound(unsigned dom) {
    struct evtchn_alloc_unbound op = {.remote_dom = some_domid()};
    unsigned by = someone_for(dom), remote = resolve(by, op.remote_dom);
    unsigned n = lowest_free(&models[dom]);
    bool may = allowed(dom, remote) || (by != dom && remote == by);
    int64_t expected = !remote ? -ESRCH : !may ? -EPERM : n ? 0 : -ENOSPC;
    int64_t rc = evtchn_call_about(doms[dom], doms[by], EVTCHNOP_alloc_unbound, &op, &op.dom);

    if (!came_out(rc, expected, op.port, n))
        return false;
    models[dom].p[n] = (struct port){.kind = UNBOUND, .remote = remote, .prio = 7};
    return true;
}

static bool op_bind_interdomain(unsigned dom) {
    struct evtchn_bind_interdomain op = {.remote_dom = some_domid(), .remote_port = rnd(MAX_PORT)};
    unsigned remote = resolve(dom, op.remote_dom), n = lowest_free(&models[dom]);
    struct port *r = &models[remote].p[op.remote_port];
    bool waits = r->kind == UNBOUND && r->remote == dom;
    int64_t expected = !n                     ? -ENOSPC
                       : !remote              ? -ESRCH
                       : !waits               ? -EINVAL
                       : allowed(dom, remote) ? 0
                                              : -EPERM;
    int64_t rc = evtchn_call(doms[dom], EVTCHNOP_bind_interdomain, &op);

    if (!came_out(rc, expected, op.local_port, n)) {
        /* What it raised and took back may have linked its word. */
        if (rc == -EFAULT) {
            models[dom].p[n] = (struct port){.prio = 7};
            model_raise(dom, n);
            models[dom].p[n].pending = false;
        }
        return false;
    }
    models[dom].p[n] =
        (struct port){.kind = INTER, .remote = remote, .rport = op.remote_port, .prio = 7};
    r->kind = INTER;
    r->remote = dom;
    r->rport = n;
    model_raise(dom, n);
    return true;
}

static bool virq_is_bound(const struct model *m, unsigned virq, unsigned vcpu) {
    for (unsigned i = 1; i <= m->max; i++)
        if (m->p[i].kind == VIRQ && m->p[i].virq == virq &&
            (evtchn_virq_is_global(virq) || m->p[i].vcpu == vcpu))
            return true;
    return false;
}

static bool op_bind_virq(unsigned dom) {
    struct evtchn_bind_virq op = {.virq = rnd(5) ? rnd(4) : rnd(NR_VIRQS + 2),
                                  .vcpu = rnd(NR_VCPUS + 1)};
    unsigned n = lowest_free(&models[dom]);
    int64_t expected = 0, rc;

    if (op.virq >= NR_VIRQS || (evtchn_virq_is_global(op.virq) && op.vcpu))
        expected = -EINVAL;
    else if (op.vcpu >= NR_VCPUS)
        expected = -ENOENT;
    else if (!n)
        expected = -ENOSPC;
    else if (virq_is_bound(&models[dom], op.virq, op.vcpu))
        expected = -EEXIST;
    rc = evtchn_call(doms[dom], EVTCHNOP_bind_virq, &op);
    if (!came_out(rc, expected, op.port, n))
        return false;
    models[dom].p[n] = (struct port){.kind = VIRQ, .virq = op.virq, .vcpu = op.vcpu, .prio = 7};
    return true;
}

static bool op_bind_ipi(unsigned dom) {
    struct evtchn_bind_ipi op = {.vcpu = rnd(NR_VCPUS + 1)};
    unsigned n = lowest_free(&models[dom]);
    int64_t expected = op.vcpu >= NR_VCPUS ? -ENOENT : n ? 0 : -ENOSPC;
    int64_t rc = evtchn_call(doms[dom], EVTCHNOP_bind_ipi, &op);

    if (!came_out(rc, expected, op.port, n))
        return false;
    models[dom].p[n] = (struct port){.kind = IPI, .vcpu = op.vcpu, .prio = 7};
    return true;
}

static unsigned heard; /* sends that came to Holdfast */
static void hear(struct domain *d, void *arg) {
    assert_ptr_equal(d, arg);
    assert_int_equal(nr_held, 0);
    heard++;
}

static bool op_internal(unsigned dom) {
    unsigned n = lowest_free(&models[dom]);
    uint32_t port = 0;
    int rc;

    if (rnd(20))
        return false;
    rc = evtchn_alloc_internal(doms[dom], 0, hear, doms[dom], &port);
    if (rc == -ENOMEM)
        return false;
    assert_int_equal(rc, n ? 0 : -ENOSPC);
    if (rc)
        return false;
    assert_int_equal(port, n);
    models[dom].p[n] = (struct port){.kind = INTERNAL, .prio = 7};
    return true;
}

static bool op_send(unsigned dom) {
    struct evtchn_send op = {.port = rnd(MAX_PORT + 1)};
    const struct port *p = &models[dom].p[op.port];
    unsigned before = heard;
    int64_t rc = evtchn_call(doms[dom], EVTCHNOP_send, &op);

    assert_int_equal(rc, p->kind == FREE || p->kind == VIRQ ? -EINVAL : 0);
    assert_int_equal(heard - before, p->kind == INTERNAL);
    if (p->kind == INTER)
        model_raise(p->remote, p->rport);
    else if (p->kind == IPI)
        model_raise(dom, op.port);
    return !rc;
}

static bool op_raise(unsigned dom) {
    struct model *m = &models[dom];
    unsigned virq = rnd(4), vcpu = rnd(NR_VCPUS), port = rnd(MAX_PORT + 1);

    evtchn_raise_virq(doms[dom]->vcpus[vcpu], virq);
    for (unsigned i = 1; i <= m->max; i++)
        if (m->p[i].kind == VIRQ && m->p[i].virq == virq &&
            (evtchn_virq_is_global(virq) || m->p[i].vcpu == vcpu))
            model_raise(dom, i);
    evtchn_notify(doms[dom], port);
    if (m->p[port].kind == INTERNAL)
        model_raise(dom, port);
    return true;
}

static bool op_close(unsigned dom) {
    struct evtchn_close op = {.port = rnd(MAX_PORT + 1)};
    enum kind kind = models[dom].p[op.port].kind;
    int64_t rc = evtchn_call(doms[dom], EVTCHNOP_close, &op);

    assert_int_equal(rc, kind == FREE || kind == INTERNAL ? -EINVAL : 0);
    if (!rc)
        model_free(dom, op.port);
    return !rc;
}

static bool op_status(unsigned dom) {
    static const unsigned said[] = {
        [FREE] = EVTCHNSTAT_closed,       [UNBOUND] = EVTCHNSTAT_unbound,
        [INTER] = EVTCHNSTAT_interdomain, [VIRQ] = EVTCHNSTAT_virq,
        [IPI] = EVTCHNSTAT_ipi,           [INTERNAL] = EVTCHNSTAT_interdomain};
    struct evtchn_status op = {.port = 1 + rnd(MAX_PORT)};
    const struct port *p = &models[dom].p[op.port];
    int64_t rc =
        evtchn_call_about(doms[dom], doms[someone_for(dom)], EVTCHNOP_status, &op, &op.dom);

    if (rc) { /* beyond what the table has grown to */
        assert_true(unwritable ? rc == -EFAULT || rc == -EINVAL : rc == -EINVAL);
        assert_true(unwritable || p->kind == FREE);
        return false;
    }
    assert_int_equal(op.status, said[p->kind]);
    assert_int_equal(op.vcpu, p->vcpu);
    if (p->kind == UNBOUND)
        assert_int_equal(op.u.unbound.dom, p->remote);
    if (p->kind == INTER)
        assert_true(op.u.interdomain.dom == p->remote && op.u.interdomain.port == p->rport);
    if (p->kind == VIRQ)
        assert_int_equal(op.u.virq, p->virq);
    return true;
}

static bool op_bind_vcpu(unsigned dom) {
    struct evtchn_bind_vcpu op = {.port = rnd(MAX_PORT + 1), .vcpu = rnd(NR_VCPUS + 1)};
    struct port *p = &models[dom].p[op.port];
    bool fixed =
        p->kind == FREE || p->kind == IPI || (p->kind == VIRQ && !evtchn_virq_is_global(p->virq));
    int64_t rc = evtchn_call(doms[dom], EVTCHNOP_bind_vcpu, &op);

    assert_int_equal(rc, op.vcpu >= NR_VCPUS ? -ENOENT : fixed ? -EINVAL : 0);
    if (!rc)
        p->vcpu = op.vcpu;
    return !rc;
}

static bool op_unmask(unsigned dom) {
    struct evtchn_unmask op = {.port = 1 + rnd(MAX_PORT)};
    struct model *m = &models[dom];
    int64_t rc = evtchn_call(doms[dom], EVTCHNOP_unmask, &op);

    if (rc || m->p[op.port].kind == FREE)
        return false;
    assert_false(is_masked(dom, op.port));
    if (m->fifo && m->words && m->p[op.port].pending)
        model_link(m, op.port);
    return true;
}

static bool op_guest_masks(unsigned dom) {
    unsigned port = 1 + rnd(MAX_PORT);

    if (!models[dom].fifo)
        shared_of(dom)->evtchn_mask[port / 64] |= 1ULL << port % 64;
    else if (models[dom].words)
        *word_at(dom, port) |= FIFO_BIT(MASKED);
    return true;
}

static bool op_init_control(unsigned dom) {
    unsigned vcpu = rnd(NR_VCPUS + 1), offset = rnd(8) ? 128 * vcpu : 4096 - 8 * rnd(16);
    uint64_t g = rnd(6) ? CONTROL_GFN : rnd(PAGES);
    struct evtchn_init_control op = {.control_gfn = g, .offset = offset, .vcpu = vcpu};
    struct model *m = &models[dom];
    int64_t expected = 0, rc;

    if (rnd(10) || (g != CONTROL_GFN && g < GFN_RO)) /* only where the model looks for it */
        return false;
    if (vcpu >= NR_VCPUS)
        expected = -ENOENT;
    else if (offset > PAGE_SIZE - sizeof(struct evtchn_fifo_control_block) || m->control[vcpu] ||
             g >= GFN_RO)
        expected = -EINVAL;
    if (!expected && offset != 128 * vcpu)
        return false;
    rc = evtchn_call(doms[dom], EVTCHNOP_init_control, &op);
    if (rc == -ENOMEM && !fail_alloc)
        return false; /* it was made to fail, and changed nothing */
    assert_int_equal(rc, !expected && unwritable ? -EFAULT : expected);
    if (expected)
        return false;
    m->control[vcpu] = true;
    m->fifo = true; /* priorities are the default, pending events are kept */
    return true;
}

static bool op_expand_array(unsigned dom) {
    struct model *m = &models[dom];
    struct evtchn_expand_array op = {.array_gfn = rnd(4) ? ARRAY_GFN : GFN_RO + rnd(2)};
    int64_t expected = !m->fifo ? -EOPNOTSUPP : op.array_gfn >= GFN_RO ? -EINVAL : 0, rc;

    if (rnd(10) || m->words)
        return false;
    rc = evtchn_call(doms[dom], EVTCHNOP_expand_array, &op);
    if (rc == -ENOMEM && !fail_alloc)
        return false;
    assert_int_equal(rc, expected);
    if (rc)
        return false;
    m->words = true;
    for (unsigned port = 1; port <= MAX_PORT; port++)
        if (m->p[port].pending)
            model_raise(dom, port);
    return true;
}

static bool op_set_priority(unsigned dom) {
    struct evtchn_set_priority op = {.port = 1 + rnd(MAX_PORT), .priority = rnd(18)};
    struct model *m = &models[dom];
    int64_t rc;

    if (m->p[op.port].kind == FREE)
        return false;
    rc = evtchn_call(doms[dom], EVTCHNOP_set_priority, &op);
    assert_int_equal(rc, !m->fifo ? -ENOSYS : op.priority > 15 ? -EINVAL : 0);
    if (!rc)
        m->p[op.port].prio = op.priority;
    return !rc;
}

static bool op_vcpu_info(unsigned dom) {
    unsigned vcpu = rnd(NR_VCPUS);
    uint64_t g = rnd(4) ? INFO_GFN : GFN_RO + rnd(2);
    unsigned place = 1 + rnd(2);
    struct vcpu_register_vcpu_info op = {.mfn = g,
                                         .offset = 64 * vcpu + 1024 * place + (rnd(4) ? 0 : 4)};
    struct vcpu *v = doms[dom]->vcpus[vcpu];
    int64_t rc, expected = op.offset % 8 ? -ENXIO : 0;

    if (rnd(20))
        return false;
    if (!expected && g != INFO_GFN)
        expected = -EINVAL;
    rc = vcpu_info_register(v, v, (vaddr_t)&op);
    if (rc == -ENOMEM && !fail_alloc)
        return false;
    assert_int_equal(rc, expected);
    if (!rc)
        models[dom].info[vcpu] = place;
    return !rc;
}

static void model_forget_fifo(unsigned dom) {
    struct model *m = &models[dom];

    m->fifo = m->words = false;
    for (unsigned v = 0; v < NR_VCPUS; v++) {
        m->control[v] = false;
        for (unsigned q = 0; q < EVTCHN_FIFO_MAX_QUEUES; q++)
            m->queue[v][q].n = 0;
    }
    for (unsigned i = 1; i <= MAX_PORT; i++) {
        m->p[i].linked = false;
        m->p[i].prio = 7;
    }
    memset(ram_page(dom, CONTROL_GFN), 0, PAGE_SIZE);
    memset(ram_page(dom, ARRAY_GFN), 0, PAGE_SIZE);
}

static bool op_reset(unsigned dom) {
    struct evtchn_reset op;

    if (rnd(60))
        return false;
    assert_int_equal(
        evtchn_call_about(doms[dom], doms[someone_for(dom)], EVTCHNOP_reset, &op, &op.dom), 0);
    for (unsigned i = 1; i <= MAX_PORT; i++)
        if (models[dom].p[i].kind != FREE && models[dom].p[i].kind != INTERNAL)
            model_free(dom, i);
    model_forget_fifo(dom);
    return true;
}

/* It dies, and another one of its number is there at once. */
static bool op_restart(unsigned dom) {
    unsigned max = models[dom].max;

    if (rnd(100))
        return false;
    dom_destroy((hv_domid_t)dom);
    for (unsigned i = 1; i <= MAX_PORT; i++)
        model_free(dom, i);
    memset(&models[dom], 0, sizeof(models[dom]));
    models[dom].max = max;
    fail_alloc = 0;
    dom_create((hv_domid_t)dom, max);
    return true;
}

static bool op_poll(unsigned dom) {
    unsigned port = 1 + rnd(MAX_PORT);
    int rc = evtchn_is_pending(doms[dom], port);

    assert_true(rc >= 0 || (rc == -EINVAL && models[dom].p[port].kind == FREE));
    if (models[dom].p[port].kind != FREE)
        assert_int_equal(rc, models[dom].p[port].pending);
    return rc >= 0;
}

static bool op_consume(unsigned dom) {
    consume_all(dom);
    return true;
}

static bool (*const ops[])(unsigned dom) = {
    op_alloc_unbound,
    op_bind_interdomain,
    op_bind_interdomain,
    op_bind_virq,
    op_bind_ipi,
    op_internal,
    op_send,
    op_send,
    op_send,
    op_raise,
    op_close,
    op_status,
    op_bind_vcpu,
    op_unmask,
    op_guest_masks,
    op_init_control,
    op_expand_array,
    op_set_priority,
    op_vcpu_info,
    op_reset,
    op_restart,
    op_poll,
    op_consume,
};

static void random_operations(void **state) {
    const char *s = getenv("MODEL_SEED"), *n = getenv("MODEL_STEPS");
    uint64_t start = s ? strtoull(s, NULL, 0) : 1;
    unsigned steps = n ? (unsigned)strtoul(n, NULL, 0) : 200000;

    (void)state;
    printf("MODEL_SEED=%llu MODEL_STEPS=%u\n", (unsigned long long)start, steps);
    seed = start;
    policy_allow_pair(1, 2);
    policy_allow_pair(2, 3);
    world_create();
    for (unsigned dom = 1; dom <= NR_DOMS; dom++) {
        models[dom].max = dom == 3 ? 20 : MAX_PORT;
        dom_create((hv_domid_t)dom, models[dom].max);
    }
    for (unsigned i = 0; i < steps; i++) {
        unsigned op = rnd(ARRAY_SIZE(ops)), dom = 1 + rnd(NR_DOMS);

        fail_alloc = rnd(12) ? 0 : 1 + rnd(2);
        unwritable = !rnd(30);
        done[op] += ops[op](dom);
        fail_alloc = 0;
        unwritable = false;
        assert_int_equal(nr_held, 0);
        assert_int_equal(crashes, 0);
    }
    for (unsigned dom = 1; dom <= NR_DOMS; dom++) {
        consume_all(dom);
        dom_destroy((hv_domid_t)dom);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(ops) && steps >= 100000; i++)
        assert_true(done[i] > 0);
    world_destroy();
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_operations)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
