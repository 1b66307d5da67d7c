/* Hypercalls by Xen's public headers, for tests. */
#ifndef XEN_H
#define XEN_H

#include <stdint.h>

#define __XEN_INTERFACE_VERSION__ 0x00040e00

#include <xen/xen.h>

#include <xen/errno.h>
#include <xen/features.h>
#include <xen/grant_table.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/memory.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>

#include "selftest.h"

static inline int64_t memory_op(unsigned cmd, void *arg) {
    return xen_call(__HYPERVISOR_memory_op, cmd, (uint64_t)arg, 0);
}

static inline int64_t xen_version(unsigned cmd, void *arg) {
    return xen_call(__HYPERVISOR_xen_version, cmd, (uint64_t)arg, 0);
}

static inline int64_t sched_op(unsigned cmd, void *arg) {
    return xen_call(__HYPERVISOR_sched_op, cmd, (uint64_t)arg, 0);
}

static inline int64_t vcpu_op(unsigned cmd, uint64_t vcpu, void *arg) {
    return xen_call(__HYPERVISOR_vcpu_op, cmd, vcpu, (uint64_t)arg);
}

static inline int64_t console_io(unsigned cmd, uint64_t count, void *text) {
    return xen_call(__HYPERVISOR_console_io, cmd, count, (uint64_t)text);
}

static inline int64_t vm_assist(unsigned cmd, uint64_t type) {
    return xen_call(__HYPERVISOR_vm_assist, cmd, type, 0);
}

static inline int64_t multicall(void *list, uint64_t nr) {
    return xen_call(__HYPERVISOR_multicall, (uint64_t)list, nr, 0);
}

static inline int64_t grant_table_op(unsigned cmd, void *arg, uint64_t count) {
    return xen_call(__HYPERVISOR_grant_table_op, cmd, (uint64_t)arg, count);
}

#endif
