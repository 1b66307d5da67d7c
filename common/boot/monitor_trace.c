/* The console's side of the trace: its memory, and the rings as text for scripts/trace.py. */
#include <hv/cpu.h>
#include <hv/mm.h>
#include <hv/printk.h>
#include <hv/string.h>
#include <hv/timer.h>
#include <hv/trace.h>

#include "monitor.h"

#define RING_ORDER 4u /* 64 KiB: two thousand records for each CPU */

static void start(void) {
    for (unsigned cpu = 0; cpu < nr_cpus; cpu++) {
        void *memory;

        if (!cpu_is_online(cpu) || trace_ring_of(cpu))
            continue;
        memory = xenheap_alloc(RING_ORDER);
        if (memory)
            trace_give_ring(cpu, memory, PAGE_SIZE << RING_ORDER, timer_hz);
        else
            printk("trace: no memory for CPU %u, which is left out\n", cpu);
    }
    WRITE_ONCE(trace_on, 1);
}

/* Nobody, or domain and vCPU. */
static const char *who_text(uint32_t who, char text[16]) {
    if (who == TRACE_NOBODY)
        return "-";
    hv_snprintf(text, 16, "d%uv%u", who >> 16, who & 0xffff);
    return text;
}

static void dump_ring(const struct trace_ring *ring) {
    uint64_t end = READ_ONCE(ring->written), lost = end > ring->size ? end - ring->size : 0;

    printk("trace: CPU %u, %llu Hz, %llu records after %llu lost ones\n", ring->cpu,
           (unsigned long long)ring->hz, (unsigned long long)(end - lost),
           (unsigned long long)lost);
    for (uint64_t i = lost; i < end; i++) {
        const struct trace_record *t = &ring->records[i % ring->size];
        char who[16];

        printk("trace: %u %llx %u %s %llx %llx\n", ring->cpu, (unsigned long long)t->time, t->event,
               who_text(t->who, who), (unsigned long long)t->a, (unsigned long long)t->b);
        preempt_point();
    }
}

void monitor_trace(const struct monitor_args *args) {
    if (!strcmp(args->word, "on")) {
        start();
        printk("trace: on\n");
        return;
    }
    WRITE_ONCE(trace_on, 0);
    if (!strcmp(args->word, "off")) {
        printk("trace: off\n");
        return;
    }
    for (unsigned cpu = 0; cpu < nr_cpus; cpu++)
        if (trace_ring_of(cpu))
            dump_ring(trace_ring_of(cpu));
    printk("trace: end\n");
}
