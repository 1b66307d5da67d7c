/* Host fake of hv/trace.h: nothing is traced. */
#ifndef HV_TRACE_H
#define HV_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#define trace_is_on() false
#define TRACE_WHO(domid, vcpu) ((uint32_t)(domid) << 16 | (vcpu))
#define TRACE_NOBODY 0u
#define trace(event, who, a, b)                                                                    \
    do {                                                                                           \
        if (trace_is_on())                                                                         \
            (void)(who), (void)(a), (void)(b);                                                     \
    } while (0)

#endif
