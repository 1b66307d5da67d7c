/* SOURCES: common/boot/static_evtchn.c common/lib/fdt.c */
/* Event channels of the device tree: which ports they ask for, and what is refused with one line.
 */
#include "captured_log.h"

#include <hv/bits.h>
#include <hv/domain.h>
#include <hv/errno.h>
#include <hv/events.h>
#include <hv/fdt.h>
#include <hv/guests.h>

#include <libfdt.h>

/* As in guest_config.c, without all that this file needs. */
int guest_error(const struct guest_config *cfg, int node, const char *prop, const char *fmt, ...) {
    char path[FDT_PATH_MAX], what[160];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    printk("error: %s: %s: %s; domain not started\n", fdt_path(cfg->fdt, node, path), prop, what);
    return -EINVAL;
}

static uint64_t space[1024];
static void *const tree = space;
static struct domain dom = {.id = 1, .max_evtchn_port = 1023};
static struct guest_config guests[2];
static struct {
    uint32_t port, to;
    hv_domid_t remote;
} made[8];
static unsigned nr_made;
static int make_rc;

int evtchn_make_static(struct domain *d, uint32_t port, hv_domid_t remote, uint32_t to) {
    assert_ptr_equal(d, &dom);
    made[nr_made].port = port;
    made[nr_made].remote = remote;
    made[nr_made++].to = to;
    return make_rc;
}

const struct guest_config *guest_of_node(int node) {
    for (unsigned i = 0; i < 2; i++)
        if (guests[i].node == node)
            return &guests[i];
    return NULL;
}

static int at(const char *path) {
    int node = fdt_path_offset(tree, path);

    assert_true(node >= 0);
    return node;
}

static void end_of_channel(const char *parent, const char *name, uint32_t phandle, uint32_t port,
                           uint32_t peer) {
    fdt32_t be[2] = {cpu_to_fdt32(port), cpu_to_fdt32(peer)};
    int node = fdt_add_subnode(tree, at(parent), name);

    assert_true(node > 0);
    assert_int_equal(fdt_setprop_string(tree, node, "compatible", "xen,evtchn-v1"), 0);
    assert_int_equal(fdt_setprop_u32(tree, node, "phandle", phandle), 0);
    assert_int_equal(fdt_setprop(tree, node, "xen,evtchn", be, 8), 0);
}

static int build(void) {
    guests[0].node = at("/chosen/a");
    guests[1].node = at("/chosen/b");
    return static_evtchns_make(&dom, &guests[0]);
}

static int good_tree(void **s) {
    (void)s;
    log_clear();
    nr_made = 0;
    make_rc = 0;
    assert_int_equal(fdt_create_empty_tree(tree, sizeof(space)), 0);
    assert_true(fdt_add_subnode(tree, 0, "chosen") > 0);
    assert_true(fdt_add_subnode(tree, at("/chosen"), "b") > 0);
    assert_true(fdt_add_subnode(tree, at("/chosen"), "a") > 0);
    for (unsigned i = 0; i < 2; i++)
        guests[i] = (struct guest_config){.fdt = tree, .domid = (hv_domid_t)(i + 1)};
    end_of_channel("/chosen/a", "evtchn@1", 11, 5, 21);
    end_of_channel("/chosen/b", "evtchn@1", 21, 9, 11);
    return 0;
}

static void both_ends(void **s) {
    (void)s;
    end_of_channel("/chosen/a", "evtchn@2", 12, 6, 13); /* to itself */
    end_of_channel("/chosen/a", "evtchn@3", 13, 7, 12);
    end_of_channel("/chosen/a", "evtchn@4", 14, 8, 99);
    assert_int_equal(fdt_setprop_string(tree, at("/chosen/a/evtchn@4"), "status", "disabled"), 0);
    assert_int_equal(build(), 0);
    assert_string_equal(log_text, "");
    assert_int_equal(nr_made, 3);
    for (unsigned i = 0; i < nr_made; i++) {
        assert_int_equal(made[i].port, i == 0 ? 7 : i == 1 ? 6 : 5); /* newest first */
        assert_int_equal(made[i].to, i == 0 ? 6 : i == 1 ? 7 : 9);
        assert_int_equal(made[i].remote, i == 2 ? 2 : 1);
    }
}

/* Each spoils the good tree; the error line comes after the node's path and the property. */
static void one_cell(void) {
    assert_int_equal(fdt_setprop_u32(tree, at("/chosen/a/evtchn@1"), "xen,evtchn", 5), 0);
}
static void no_property(void) {
    assert_int_equal(fdt_delprop(tree, at("/chosen/a/evtchn@1"), "xen,evtchn"), 0);
}
static void nobodys_phandle(void) {
    assert_int_equal(fdt_setprop_u32(tree, at("/chosen/b/evtchn@1"), "phandle", 22), 0);
}
static void another_kind(void) {
    assert_int_equal(fdt_setprop_string(tree, at("/chosen/b/evtchn@1"), "compatible", "x"), 0);
}
static void of_no_domain(void) {
    assert_int_equal(fdt_del_node(tree, at("/chosen/b/evtchn@1")), 0);
    end_of_channel("/chosen", "evtchn@1", 21, 9, 11);
}
static void leads_elsewhere(void) {
    assert_int_equal(fdt_del_node(tree, at("/chosen/b/evtchn@1")), 0);
    end_of_channel("/chosen/b", "evtchn@1", 21, 9, 12);
}
static void to_its_own_node(void) {
    assert_int_equal(fdt_del_node(tree, at("/chosen/a/evtchn@1")), 0);
    end_of_channel("/chosen/a", "evtchn@1", 11, 5, 11);
}
static void peer_is_bad(void) {
    assert_int_equal(fdt_setprop_u32(tree, at("/chosen/b/evtchn@1"), "xen,evtchn", 9), 0);
}
static void no_room(void) {
    make_rc = -ENOSPC;
}
static void used(void) {
    make_rc = -EEXIST;
}
static void no_memory(void) {
    make_rc = -ENOMEM;
}

static void refused(void **s) {
    static const struct {
        void (*spoil)(void);
        const char *line;
    } bad[] = {
        {one_cell, "expected a port and the other end's phandle"},
        {no_property, "expected a port and the other end's phandle"},
        {nobodys_phandle, "expected the event channel of a domain, got phandle 0x15"},
        {another_kind, "expected the event channel of a domain, got phandle 0x15"},
        {of_no_domain, "expected the event channel of a domain, got phandle 0x15"},
        {leads_elsewhere, "expected an event channel that leads back here"},
        {to_its_own_node, "expected an event channel that leads back here"},
        {peer_is_bad, "expected an event channel that leads back here"},
        {no_room, "expected a port from 1 to 1023, got 5"},
        {used, "expected a port that is free, 5 is not"},
        {no_memory, "no memory for it"},
    };

    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        char line[160];

        good_tree(s);
        bad[i].spoil();
        assert_int_equal(build(), -EINVAL);
        snprintf(line, sizeof(line),
                 "error: /chosen/a/evtchn@1: xen,evtchn: %s; domain not started\n", bad[i].line);
        assert_string_equal(log_text, line);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(both_ends, good_tree),
        cmocka_unit_test_setup(refused, good_tree),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
