/* Event-channel hypercalls of three domains, with arguments of any contents; what the guests share
 * with the hypervisor is written at any time. */
/* clang-format off */
/* SOURCES: common/abi/evtchn.c common/abi/evtchn_port.c common/abi/evtchn_pending.c common/abi/evtchn_hv.c common/abi/event_fifo.c common/abi/vcpu_info.c common/abi/guest_atomic.c common/abi/policy.c */
/* clang-format on */
#include "fuzz.h"

#include "../unit/evtchn_world.h"

/* Small numbers, where most are, or any. */
static uint32_t number(void) {
    uint8_t how = (uint8_t)eat(1);

    return how < 0xe0 ? how % 40 : how < 0xf0 ? DOMID_SELF : (uint32_t)eat(4);
}

static void call(struct domain *d) {
    union {
        uint32_t word[8];
        struct evtchn_alloc_unbound unbound;
        struct evtchn_bind_interdomain inter;
        struct evtchn_status status;
        struct evtchn_reset reset;
        struct evtchn_init_control control;
        struct evtchn_expand_array expand;
    } op = {{0}};
    unsigned cmd = (unsigned)eat(1) % 16;

    for (unsigned i = 0; i < 6; i++)
        op.word[i] = number();
    switch (cmd) {
    case EVTCHNOP_alloc_unbound:
        op.unbound.dom = (domid_t)(eat(1) & 1 ? DOMID_SELF : d->id);
        op.unbound.remote_dom = (domid_t)(eat(1) % (NR_DOMS + 2));
        break;
    case EVTCHNOP_bind_interdomain:
        op.inter.remote_dom = (domid_t)(eat(1) % (NR_DOMS + 2));
        break;
    case EVTCHNOP_init_control:
        op.control.control_gfn = number() % (PAGES + 1);
        break;
    case EVTCHNOP_expand_array:
        op.expand.array_gfn = number() % (PAGES + 1);
        break;
    default:
        break;
    }
    unwritable = !(eat(1) % 16);
    fail_alloc = eat(1) % 8 ? 0 : 1 + (unsigned)eat(1) % 4;
    (void)evtchn_call(d, cmd, &op);
    fail_alloc = 0;
}

static void while_somebody_yields(void) {
    memset(ram_page(1, 0), 0, PAGE_SIZE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    log_clear();
    world_create();
    while_yielding = while_somebody_yields;
    for (hv_domid_t id = 1; id <= NR_DOMS; id++)
        (void)dom_create(id, 4095);
    input_is(data, size);
    while (input_left) {
        struct domain *d = doms[1 + eat(1) % NR_DOMS];

        switch (eat(1) % 4) {
        case 0: /* in its own memory, and what all event words are in */
            *(uint32_t *)((char *)ram_page(d->id, eat(1) % PAGES) + eat(1) * 4) = (uint32_t)eat(4);
            break;
        case 1:
            *(uint32_t *)((char *)d->abi->shared_info + eat(2) % (PAGE_SIZE / 4) * 4) =
                (uint32_t)eat(4);
            break;
        default:
            call(d);
            break;
        }
        HOLDS(!nr_held);
    }
    for (hv_domid_t id = 1; id <= NR_DOMS; id++)
        dom_destroy(id);
    world_destroy();
    return 0;
}
