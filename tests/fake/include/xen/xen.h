/* Xen's public header as for Arm, whatever the host is. */
#ifndef FAKE_XEN_XEN_H
#define FAKE_XEN_XEN_H

#ifdef __x86_64__
#pragma push_macro("__x86_64__")
#undef __x86_64__
#define __aarch64__ 1
#include_next <xen/xen.h>
#undef __aarch64__
#pragma pop_macro("__x86_64__")
#elif defined(__i386__)
#pragma push_macro("__i386__")
#undef __i386__
#define __arm__ 1
#include_next <xen/xen.h>
#undef __arm__
#pragma pop_macro("__i386__")
#else
#include_next <xen/xen.h>
#endif

#endif
