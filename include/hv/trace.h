/*
 * Floor 2: what happened when, in a ring for each CPU. While it is off each place costs one branch
 * that is not taken.
 *
 * A ring lies in memory of its own that starts with a magic number, so that it is found in a dump
 * of the whole memory as well: scripts/trace.py. The oldest records give way.
 */
#ifndef HV_TRACE_H
#define HV_TRACE_H

#include <hv/compiler.h>
#include <hv/types.h>

#include <asm/trace.h>

/* Known to scripts/trace.py by number. `who` is a vCPU unless said otherwise. */
enum trace_event {
    TRACE_SWITCH = 1, /* has the CPU now; a: who had it, b: that one's state (enum vcpu_state) */
    TRACE_BLOCK,      /* waits for an event */
    TRACE_WAKE,       /* is runnable again; a: the CPU it was on */
    TRACE_TRAP,       /* is back from a trap; a: exception syndrome, b: ticks it took */
    TRACE_HYPERCALL,  /* likewise; a: number | first argument << 32 */
    TRACE_IRQ,        /* nobody; the CPU took interrupt a */
    TRACE_INJECT,     /* gets interrupt a */
    TRACE_P2M,    /* a domain; a: gfn, b: number of frames << 8 | type (0: unmapped); asked for */
    TRACE_DOMAIN, /* a domain; a: enum domain_state it enters, b: reason of its end */
};

#define TRACE_WHO(domid, vcpu) ((uint32_t)(domid) << 16 | (vcpu))
#define TRACE_NOBODY TRACE_WHO(0xffff, 0)

struct trace_record {
    uint64_t time; /* counter ticks */
    uint32_t who;
    uint32_t event;
    uint64_t a, b;
};

#define TRACE_MAGIC 0x3145434152544648ULL /* "HFTRACE1" */
struct trace_ring {
    uint64_t magic;
    uint64_t hz;
    uint32_t cpu;
    uint32_t size;    /* records there is room for */
    uint64_t written; /* the newest is records[(written - 1) % size] */
    uint64_t unused[4];
    struct trace_record records[];
};

/* Not 0: on. trace_is_on() asks, asm/trace.h. */
extern uint32_t trace_on;
void trace_record(enum trace_event event, uint32_t who, uint64_t a, uint64_t b)
    __attribute__((cold));
/* The arguments are looked at only when it is on. */
#define trace(event, who, a, b)                                                                    \
    do {                                                                                           \
        if (trace_is_on())                                                                         \
            trace_record(event, who, a, b);                                                        \
    } while (0)

/* Memory for a CPU's ring, page-aligned, kept for good; a page at least. */
void trace_give_ring(unsigned cpu, void *memory, size_t bytes, uint64_t hz);
/* NULL: it has none. */
const struct trace_ring *trace_ring_of(unsigned cpu);

#endif
