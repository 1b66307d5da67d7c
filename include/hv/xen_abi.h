/*
 * Floor 0: Xen's public headers, at their newest interface version: without the number they
 * silently give the compatibility shapes of long ago. Everything that speaks the ABI includes them
 * from here.
 */
#ifndef HV_XEN_ABI_H
#define HV_XEN_ABI_H

#include <stdint.h>

#define __XEN_INTERFACE_VERSION__ 0x00040e00

#include <xen/xen.h>

#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/memory.h>
#include <xen/vcpu.h>

_Static_assert(sizeof(struct shared_info) <= 4096, "it has a page");
_Static_assert(sizeof(xen_pfn_t) == 8 && sizeof(xen_ulong_t) == 8,
               "the Arm ABI is 64 bit throughout");
_Static_assert(sizeof(struct xen_add_to_physmap) == 24, "xen/memory.h");
_Static_assert(sizeof(struct xen_memory_reservation) == 32, "xen/memory.h");
#ifndef HF_HOST_TEST /* there it is the host's */
_Static_assert(sizeof(struct vcpu_info) == 48 && sizeof(struct shared_info) <= 4096, "xen/xen.h");
#endif
_Static_assert(sizeof(struct evtchn_status) == 24, "xen/event_channel.h");
_Static_assert(sizeof(struct evtchn_fifo_control_block) == 72, "xen/event_channel.h");

#endif
