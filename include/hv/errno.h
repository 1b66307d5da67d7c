/* Floor 0: error numbers, those of Xen's public ABI, so that a worker's result goes to a guest as
 * it is. */
#ifndef HV_ERRNO_H
#define HV_ERRNO_H

#ifdef HF_HOST_TEST
#include <errno.h> /* the host's numbers are the same for every name we use */
#else
enum {
#define XEN_ERRNO(name, value) name = (value),
#include <xen/errno.h>
};
#endif

#endif
