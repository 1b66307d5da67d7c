/*
 * Floor 8: what one domain node of /chosen asks for (the Xen dom0less binding). Reading it changes
 * nothing and needs no memory; strings are copied or point into the tree, which stays mapped.
 */
#ifndef HV_GUEST_CONFIG_H
#define HV_GUEST_CONFIG_H

#include <hv/modules.h>
#include <hv/types.h>

#define GUESTS_MAX 64u
#define GUEST_NAME_MAX 32
#define GUEST_BOOTARGS_MAX 2048 /* with its NUL; arm64 Linux keeps no more */
#define GUEST_STATIC_MAX 8u     /* ranges of static memory */
#define GUEST_SPIS_MAX 960u     /* INTIDs 32..991, as the vGIC has them */
#define GUEST_GRANT_FRAMES_MAX 64u
#define GUEST_MAPTRACK_FRAMES_MAX 4096u
#define GUEST_EVTCHNS_MAX 131071u /* the highest port of the FIFO ABI */

enum guest_passthrough { PASSTHROUGH_AS_NEEDED, PASSTHROUGH_ENABLED, PASSTHROUGH_DISABLED };

/* What follows when a domain has ended, by how it ended. */
enum end_kind { END_POWEROFF, END_REBOOT, END_CRASH, END_WATCHDOG, NR_END_KINDS };
enum end_action { END_DESTROY, END_RESTART, END_PRESERVE, END_HALT_MACHINE };

struct guest_config {
    const void *fdt;
    int node; /* for messages: the domain's, and the modules' */
    int kernel_node, ramdisk_node, tree_node;
    char name[GUEST_NAME_MAX];
    hv_domid_t domid;
    unsigned vcpus;
    unsigned nr_spis;
    bool vpl011;
    bool pv_console;            /* holdfast,pv-console: a console ring */
    uint32_t max_grant_version; /* 1 or 2 */
    uint32_t max_grant_frames;
    uint32_t max_maptrack_frames;
    uint32_t max_evtchn_port; /* max_event_channels */
    bool privileged;          /* capabilities = "control" */
    bool enhanced;            /* xen,enhanced asked for: a /hypervisor node */
    enum end_action on_end[NR_END_KINDS];
    uint32_t restart_limit; /* of restarts after a crash or by a watchdog */
    bool good;              /* nothing was wrong so far */
    uint64_t mem_bytes;     /* whole pages */
    uint64_t p2m_bytes;     /* xen,domain-p2m-mem-mb; 0: computed */
    unsigned nr_static;     /* 0: RAM comes from the heap; else the ranges are mem_bytes in all */
    struct boot_module static_mem[GUEST_STATIC_MAX];
    bool direct_map;                          /* the ranges are where the guest sees them */
    const char *bootargs;                     /* "" when none */
    struct boot_module kernel, ramdisk, tree; /* tree: of its devices */
    enum guest_passthrough passthrough;
};

/*
 * Fills cfg from the node. 0, or -EINVAL after exactly one line naming node, property and what was
 * expected. A property nobody reads costs one "ignored" line. domid is left to the caller.
 */
int guest_config_parse(const void *fdt, int node, struct guest_config *cfg) __must_check;

/*
 * The one line of a domain that is not started: "error: NODE: PROPERTY: what was expected; domain
 * not started". node is the domain's or one of its modules'; prop may be NULL. Returns -EINVAL.
 */
int guest_error(const struct guest_config *cfg, int node, const char *prop, const char *fmt, ...)
    __printf(4, 5);

/* One cell of a node, from min to max; *out stays when there is none. -EINVAL after the line. */
int guest_read_number(const struct guest_config *cfg, int node, const char *prop, uint32_t min,
                      uint32_t max, uint32_t *out) __must_check;

#endif
