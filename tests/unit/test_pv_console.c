/* The console ring: text in order, keys, and indices that a guest made up. */
/* SOURCES: common/abi/pv_console.c common/lib/spinlock.c */
#include "captured_log.h"

#include <hv/domain.h>
#include <hv/errno.h>
#include <hv/events.h>
#include <hv/guest_console.h>
#include <hv/hypercall.h>
#include <hv/mm.h>
#include <hv/page.h>

#include <xen/io/console.h>

#include "../../common/abi/abi.h"

DEFINE_PER_CPU(uint32_t, cpu_number);
DEFINE_PER_CPU(struct vcpu *, current_vcpu);

#define PORT 5u

static struct domain dom;
static struct domain_abi abi;
static struct vcpu vc;

/* ---- what it stands on ---- */

unsigned char *fake_ram;
uint64_t fake_ram_base, fake_ram_size = 4096;
static struct page_info page;
uint8_t *fake_frame_table = (uint8_t *)&page, *fake_frame_table_end = (uint8_t *)(&page + 1);

static struct xencons_interface *ring;
static struct console_port *port;
static void (*kick)(struct domain *d, void *arg);
static void *kick_arg;
static unsigned notified, retries, shared;
static char screen[16384];
static void (*while_writing)(void); /* what another vCPU does meanwhile */
static unsigned fail_at;            /* the n-th thing that can fail does */

static bool fails(void) {
    return fail_at && !--fail_at;
}

void *hv_zalloc(size_t size) {
    return fails() ? NULL : calloc(1, size);
}
void hv_free(void *p) {
    free(p);
}
void *xenheap_alloc(unsigned order) {
    assert_int_equal(order, 0);
    if (fails())
        return NULL;
    ring = aligned_alloc(4096, 4096);
    fake_ram = (unsigned char *)ring;
    memset(ring, 0, 4096);
    return ring;
}
void xenheap_free(void *va, unsigned order) {
    (void)order;
    assert_ptr_equal(va, ring);
    free(va);
    ring = NULL;
}
void p2m_clear_page(void *va) {
    memset(va, 0, 4096);
}
int xenheap_share(void *va, struct domain_pages *owner) {
    assert_ptr_equal(va, ring);
    assert_ptr_equal(owner, &dom.pages);
    if (fails())
        return -ENOMEM;
    shared++;
    return 0;
}
void xenheap_unshare(void *va) {
    assert_ptr_equal(va, ring);
    shared--;
    free(va);
    ring = NULL;
}
int p2m_map(struct p2m *p2m, gfn_t g, mfn_t m, unsigned order, enum p2m_type t) {
    (void)m;
    assert_ptr_equal(p2m, &dom.p2m);
    assert_int_equal(g.gfn, 0x39000);
    assert_int_equal(order, 0);
    assert_int_equal(t, P2M_XENHEAP_RW);
    return fails() ? -ENOMEM : 0;
}
int evtchn_alloc_internal(struct domain *d, hv_domid_t remote,
                          void (*fn)(struct domain *d, void *arg), void *arg, uint32_t *out) {
    assert_ptr_equal(d, &dom);
    assert_int_equal(remote, 0);
    if (fails())
        return -ENOSPC;
    kick = fn;
    kick_arg = arg;
    *out = PORT;
    return 0;
}
void evtchn_notify(struct domain *d, uint32_t p) {
    assert_ptr_equal(d, &dom);
    assert_int_equal(p, PORT);
    assert_int_equal(locks_held(), 0);
    notified++;
}
void console_add_port(struct console_port *p) {
    port = p;
}
void console_remove_port(struct console_port *p) {
    assert_true(!port || port == p);
    port = NULL;
}
void console_retry(struct console_port *p) {
    assert_ptr_equal(p, port);
    retries++;
}
void guest_console_write(struct console_port *p, const char *s, size_t n) {
    void (*other)(void) = while_writing;

    assert_ptr_equal(p, port);
    assert_int_equal(locks_held(), 0);
    while_writing = NULL;
    if (other)
        other();
    strncat(screen, s, n);
}
void preempt_point(void) {
    assert_int_equal(locks_held(), 0);
}

/* ---- the guest's side ---- */

static void put(const char *s) {
    for (; *s; s++)
        ring->out[ring->out_prod++ % sizeof(ring->out)] = *s;
}

static void send(void) {
    kick(&dom, kick_arg);
    assert_int_equal(locks_held(), 0);
}

static int start(void **state) {
    (void)state;
    memset(&abi, 0, sizeof(abi));
    dom.abi = &abi;
    dom.id = 3;
    strcpy(dom.name, "domU3");
    vc.domain = &dom;
    vc.work = 0;
    current = &vc;
    screen[0] = 0;
    notified = retries = 0;
    assert_int_equal(abi_pv_console_init(&dom), 0);
    return 0;
}

static int stop(void **state) {
    (void)state;
    pv_console_die(&dom);
    assert_null(port);
    pv_console_destroy(&dom);
    pv_console_destroy(&dom);
    assert_null(ring);
    assert_int_equal(shared, 0);
    return 0;
}

static void found_by_parameters(void **state) {
    (void)state;
    assert_int_equal(abi.console_pfn, 0x39000);
    assert_int_equal(abi.console_evtchn, PORT);
    assert_string_equal(port->name, "domU3");
    assert_string_equal(port->prefix, "(d3) ");
}

static void text(void **state) {
    char line[1001];

    (void)state;
    put("hello\n");
    send();
    assert_string_equal(screen, "hello\n");
    assert_int_equal(ring->out_cons, 6);
    assert_int_equal(notified, 0);
    screen[0] = 0;
    memset(line, 'x', 1000);
    line[1000] = 0;
    for (unsigned i = 0; i < 5; i++) { /* over the ring's end */
        put(line);
        send();
    }
    assert_int_equal(strlen(screen), 5000);
    assert_int_equal(ring->out_cons, 5006);
    send(); /* nothing there */
    assert_int_equal(strlen(screen), 5000);
    assert_int_equal(retries, 7);
}

/* One who found it full is told of room. */
static void full(void **state) {
    char line[2049];

    (void)state;
    memset(line, 'y', 2048);
    line[2048] = 0;
    put(line);
    send();
    assert_int_equal(strlen(screen), 2048);
    assert_int_equal(notified, 1);
}

static void indices_out_of_range(void **state) {
    static const uint32_t bad[] = {2049, 0x7fffffff, 0x80000000, 0xffffffff};

    (void)state;
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ring->out_prod += bad[i];
        ring->out_cons = bad[i]; /* theirs to write, and of no interest */
        send();
        assert_string_equal(screen, "");
        assert_int_equal(ring->out_cons, ring->out_prod);
        put("ok");
        send();
        assert_string_equal(screen, "ok");
        screen[0] = 0;
    }
}

static void other_sends(void) {
    put(" second");
    send(); /* its text is left to the one who is at it */
    assert_string_equal(screen, "");
}

/* Two vCPUs: one takes all the text, in its order. */
static void in_order(void **state) {
    (void)state;
    put("first");
    while_writing = other_sends;
    send();
    assert_string_equal(screen, "first second");
    screen[0] = 0;
    while_writing = other_sends; /* when the one at it has found nothing more */
    send();
    assert_string_equal(screen, " second");
}

static void domain_stops(void) {
    vc.work = VCPU_WORK_STOP;
    put("for ever");
}

static void stops_with_its_domain(void **state) {
    (void)state;
    put("last");
    while_writing = domain_stops;
    send();
    assert_string_equal(screen, "last");
}

static void keys(void **state) {
    (void)state;
    for (unsigned i = 0; i < 1024; i++)
        assert_true(port->input(port->arg, (char)i));
    assert_false(port->input(port->arg, '!'));
    assert_int_equal(ring->in_prod, 1024);
    assert_int_equal(notified, 1024);
    assert_int_equal(ring->in[65], 'A');
    ring->in_cons = 1;
    send();
    assert_int_equal(retries, 1);
    assert_true(port->input(port->arg, '!'));
    assert_int_equal(ring->in[0], '!');
    /* What the guest says it took makes no sense: as if it took nothing. Ours is not read back. */
    ring->in_cons = 5000;
    ring->in_prod = 77;
    assert_false(port->input(port->arg, '?'));
    ring->in_cons = 1025;
    assert_true(port->input(port->arg, '?'));
    assert_int_equal(ring->in_prod, 1026);
}

static void failures(void **state) {
    (void)state;
    stop(NULL);
    for (unsigned n = 1;; n++) {
        int rc;

        memset(&abi, 0, sizeof(abi));
        fail_at = n;
        rc = abi_pv_console_init(&dom);
        if (!rc)
            break;
        assert_true(rc == -ENOMEM || rc == -ENOSPC);
        assert_int_equal(abi.console_pfn, 0);
        assert_null(port);
        pv_console_destroy(&dom);
        assert_int_equal(shared, 0);
        assert_null(ring);
    }
    fail_at = 0;
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, start, stop)
    const struct CMUnitTest tests[] = {
        T(found_by_parameters),   T(text), T(full),     T(indices_out_of_range), T(in_order),
        T(stops_with_its_domain), T(keys), T(failures),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
