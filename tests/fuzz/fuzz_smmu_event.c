/* Event records, as a device that a guest drives can bring about: any words, in a queue that runs
 * over. */
/* SOURCES: drivers/smmu/smmu.c drivers/smmu/cmdq.c drivers/smmu/strtab.c drivers/smmu/evtq.c common/lib/fdt.c common/lib/spinlock.c */
#include "fuzz.h"

#include "../unit/smmu_world.h"

static struct smmu *the_smmu(void) {
    static struct smmu *s;

    if (!s) {
        fake_ram = aligned_alloc(MB(2), RAM_SIZE);
        setup(NULL);
        s = start();
        HOLDS(!smmu_translate(registered, 0x10, 1, &some_table));
    }
    return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct smmu *s = the_smmu();
    uint64_t raised = s->evtq.events;

    input_is(data, size);
    while (input_left) {
        uint64_t w[EVENT_WORDS];
        char text[SMMU_EVENT_TEXT];

        eat_into(w, sizeof(w));
        memset(text, 'x', sizeof(text));
        smmu_event_text(w, text);
        HOLDS(memchr(text, '\0', sizeof(text)));
        may_print = w[3] & 1;
        raised += raise_event((uint8_t)w[0], (uint32_t)(w[0] >> 32), w[1], w[2]);
        if (w[3] & 2 && irqs[IRQ_EVENTQ].on)
            interrupt(IRQ_EVENTQ);
        log_clear();
    }
    if (irqs[IRQ_EVENTQ].on)
        interrupt(IRQ_EVENTQ);
    while (timer_waits)
        run_timer();
    HOLDS(s->evtq.events == raised);
    HOLDS(!locks_held());
    return 0;
}
