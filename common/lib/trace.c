/* Rings of trace records: hv/trace.h. */
#include <hv/percpu.h>
#include <hv/trace.h>

#include <asm/hyp_timer.h>

uint32_t trace_on;

static struct trace_ring *rings[MAX_CPUS]; /* each written by its CPU only */

_Static_assert(sizeof(struct trace_record) == 32 && sizeof(struct trace_ring) == 64,
               "scripts/trace.py reads both");

/* Interrupts are masked: nobody else writes here. */
void trace_record(enum trace_event event, uint32_t who, uint64_t a, uint64_t b) {
    struct trace_ring *ring = READ_ONCE(rings[cpu_id()]);

    if (!ring)
        return;
    ring->records[ring->written % ring->size] =
        (struct trace_record){hyp_timer_count(), who, event, a, b};
    WRITE_ONCE(ring->written, ring->written + 1);
}

void trace_give_ring(unsigned cpu, void *memory, size_t bytes, uint64_t hz) {
    struct trace_ring *ring = memory;

    *ring = (struct trace_ring){
        .magic = TRACE_MAGIC,
        .hz = hz,
        .cpu = cpu,
        .size = (uint32_t)((bytes - sizeof(*ring)) / sizeof(struct trace_record))};
    __atomic_store_n(&rings[cpu], ring, __ATOMIC_RELEASE);
}

const struct trace_ring *trace_ring_of(unsigned cpu) {
    return rings[cpu];
}
