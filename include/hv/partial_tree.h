/*
 * Floor 8: the partial device tree of a domain with devices (Xen's passthrough binding): a module
 * whose /passthrough node holds the guest's view of the devices, whose /aliases go with them, and
 * whose /gic gives the guest's interrupt controller its phandle. Pure: reads and copies trees.
 */
#ifndef HV_PARTIAL_TREE_H
#define HV_PARTIAL_TREE_H

#include <hv/types.h>

/* A node below /passthrough with at least one of xen,path, xen,reg, xen,force-... */
struct partial_device {
    int node;
    const char *path; /* xen,path: of the device in the host's tree; NULL: none */
    bool force;       /* xen,force-assign-without-iommu */
    unsigned nr_ranges;
};
struct partial_range {
    uint64_t host, size, guest;
};

/* The next device after `node` (0: the first). 0; -ENOENT past the last; -EINVAL and *prop: what
 * that property of out->node has is malformed. */
int partial_tree_device(const void *tree, int node, struct partial_device *out,
                        const char **prop) __must_check;
/* Range i < nr_ranges of xen,reg: triples of host address, size, guest address, in the cells of the
 * node's parent. */
void partial_tree_range(const void *tree, const struct partial_device *dev, unsigned i,
                        struct partial_range *out);

/* What the guest's interrupt controller is called by the tree; `otherwise` when it does not say. */
uint32_t partial_tree_gic_phandle(const void *tree, uint32_t otherwise);
/* /aliases and /passthrough with all below them, without the properties meant for Holdfast, into a
 * tree being written. 0, or libfdt's error. */
int partial_tree_copy(const void *tree, void *to) __must_check;

#endif
