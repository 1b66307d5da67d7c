/*
 * Domain nodes: a good one, then properties with any contents and nodes with any name are put at
 * any of its places, or taken away. Where the input begins with a whole device tree, that.
 */
/* SOURCES: common/boot/guest_config.c common/boot/static_mem.c common/boot/modules.c common/lib/fdt.c */
#include "fuzz.h"

#include "../unit/test_guest_config.c"

static const char *const properties[] = {
    "compatible",
    "status",
    "cpus",
    "memory",
    "vpl011",
    "nr_spis",
    "bootargs",
    "reg",
    "xen,enhanced",
    "xen,static-mem",
    "xen,domain-p2m-mem-mb",
    "#address-cells",
    "#size-cells",
    "direct-map",
    "passthrough",
    "max_grant_frames",
    "max_maptrack_frames",
    "max_event_channels",
    "max_grant_version",
    "capabilities",
    "holdfast,pci-functions",
    "holdfast,pv-console",
    "domain-cpupool",
    "id",
    "hard-affinity",
    "soft-affinity",
    "on-crash",
    "on-reboot",
    "on-poweroff",
    "on-watchdog",
    "restart-limit",
    "holdfast,weight",
    "xen,shm-id",
    "role",
    "xen,shared-mem",
    "xen,evtchn",
    "device_type",
    "interrupts",
    "clock-frequency",
};
static const char *const places[] = {U, K, R, "/chosen", "/"};
static const char *const nodes[] = {"kernel@0", "ramdisk@1", "vcpu@0", "evtchn@1",
                                    "shm@2",    "module@3",  "domU2"};

static void edit(void) {
    const char *name = properties[eat(1) % ARRAY_SIZE(properties)];
    int node = fdt_path_offset(tree, places[eat(1) % ARRAY_SIZE(places)]);
    uint8_t value[64];
    unsigned len;

    if (node < 0)
        return;
    switch (eat(1) % 8) {
    case 0:
        (void)fdt_delprop(tree, node, name);
        break;
    case 1:
        (void)fdt_add_subnode(tree, node, nodes[eat(1) % ARRAY_SIZE(nodes)]);
        break;
    case 2:
        (void)fdt_setprop_u32(tree, node, name, (uint32_t)eat(4));
        break;
    default:
        len = (unsigned)eat(1) % sizeof(value);
        eat_into(value, len);
        (void)fdt_setprop(tree, node, name, value, (int)len);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    int node;

    good_tree(NULL);
    if (size <= sizeof(space) && size >= FDT_V1_SIZE && !fdt_check_full(data, size)) {
        memcpy(tree, data, size);
    } else {
        input_is(data, size);
        while (input_left)
            edit();
    }
    if (fdt_check_full(tree, sizeof(space)))
        return 0; /* such a tree is refused as a whole */
    fdt_for_each_subnode(node, tree, fdt_path_offset(tree, "/chosen")) {
        log_clear();
        if (guest_config_parse(tree, node, &cfg)) {
            HOLDS(log_text[0]); /* whoever wrote the tree is told why */
            continue;
        }
        HOLDS(cfg.vcpus && cfg.kernel.size && strlen(cfg.name) < sizeof(cfg.name));
    }
    return 0;
}
