/*
 * Floor 0: where things are in a guest's physical address space: the GUEST_* names of Xen's public
 * xen/arch-arm.h, and the affinity of each virtual CPU (which the redistributor, VMPIDR_EL2 and the
 * guest's device tree must agree on).
 */
#ifndef HV_GUEST_MAP_H
#define HV_GUEST_MAP_H

#include <hv/types.h>

/* The layout is in the part of the header meant for the hypervisor and its tools. */
#if !defined(__XEN__) && !defined(__XEN_TOOLS__)
#define __XEN_TOOLS__ 1
#endif
#ifndef xen_mk_ullong
#define xen_mk_ullong(x) x##ULL
#endif
#include <xen/arch-arm.h>
#ifndef GUEST_RAM0_BASE
#error "xen/arch-arm.h was included before without __XEN__ or __XEN_TOOLS__"
#endif

/* Sixteen vCPUs per cluster: the target list of an SGI register write covers Aff0 0..15. */
#define VCPUS_PER_CLUSTER 16u

/* MPIDR affinity fields (Aff1:Aff0) of virtual CPU `id` of any domain. */
static inline uint32_t vcpu_affinity(unsigned id) {
    return ((id / VCPUS_PER_CLUSTER) << 8) | (id % VCPUS_PER_CLUSTER);
}

#endif
