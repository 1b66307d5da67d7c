/* The SMMUv3 driver against a model of the device: flushes, commands that are refused or never
 * completed, events. */
/* SOURCES: drivers/smmu/smmu.c drivers/smmu/cmdq.c drivers/smmu/strtab.c drivers/smmu/evtq.c common/lib/fdt.c common/lib/spinlock.c */
#include "smmu_world.h"

/* ---- flushes ---- */

static uint64_t rng = 1;
static uint64_t rnd(uint64_t n) {
    rng = rng * 6364136223846793005ULL + 1442695040888963407ULL;
    return (rng >> 33) % n;
}

/* The pages the commands name are [ipa, +pages), each once; or all of the VMID. */
static void check_flush(uint64_t ipa, uint64_t pages, bool all_is_fine) {
    uint64_t at_ipa = ipa;

    for (unsigned i = 0; i < nr_done; i++) {
        uint64_t w0 = done[i].word[0], w1 = done[i].word[1];
        bool range = w1 & 0xc00;
        unsigned num = (unsigned)bits_get(w0, 16, 12), scale = (unsigned)bits_get(w0, 24, 20);

        if ((w0 & 0xff) == CMD_SYNC)
            continue;
        assert_int_equal(bits_get(w0, 47, 32), 9);
        if ((w0 & 0xff) == CMD_TLBI_S12_VMALL) {
            assert_true(all_is_fine);
            at_ipa = ipa + (pages << PAGE_SHIFT);
            continue;
        }
        assert_int_equal(w0 & 0xff, CMD_TLBI_S2_IPA);
        assert_int_equal(w1 & GENMASK(51, 12), at_ipa);
        assert_int_equal(w1 & 0x301, 0);     /* no level hint, not only leaves */
        assert_true(!range || num || scale); /* reserved */
        assert_true(range || (num == 0 && scale == 0));
        at_ipa += (uint64_t)(num + 1) << scale << PAGE_SHIFT;
    }
    assert_int_equal(at_ipa, ipa + (pages << PAGE_SHIFT));
    assert_false(unsynced);
    nr_done = 0;
}

static void flushes(void **state) {
    (void)state;
    struct smmu *s = start();

    for (unsigned ril = 0; ril < 2; ril++) {
        s->range_commands = ril;
        for (unsigned i = 0; i < 2000; i++) {
            uint64_t pages = 1 + rnd(1ULL << rnd(20)), ipa = rnd(1ULL << 31) << PAGE_SHIFT;

            assert_int_equal(smmu_flush(registered, 9, ipa, pages << PAGE_SHIFT), 0);
            assert_true(nr_done <= 33);
            check_flush(ipa, pages, pages > (ril ? 1u << 18 : 32u));
        }
    }
    assert_int_equal(smmu_flush(registered, 9, 0, 0), 0);
    assert_int_equal(done[0].word[0] & 0xff, CMD_TLBI_S12_VMALL);
    /* the queue went round several times */
    assert_true(s->cmdq.commands > 4u << s->cmdq.bits);
}

/* ---- commands that go wrong ---- */

static void refused_command(void **state) {
    struct smmu *s = start();

    (void)state;
    s->range_commands = false;
    refuse_at = 3;
    assert_int_equal(smmu_flush(registered, 9, 0x1000, 7 * PAGE_SIZE), -EIO);
    assert_int_equal(refused, 1);
    assert_int_equal(*at(SMMU_GERROR) ^ *at(SMMU_GERRORN), 0);
    assert_int_equal(s->cmdq.errors, 1);
    assert_false(unsynced); /* what stood behind it was done */
    assert_int_equal(smmu_flush(registered, 9, 0x1000, PAGE_SIZE), 0);
    /* an entry that could not be made sure of */
    refuse_at = 1;
    assert_int_equal(smmu_translate(registered, 0x10, 1, &some_table), -EIO);
    assert_int_equal(s->chunks[0].ste[0x10][0], STE0_ABORT); /* never got that far */
    assert_int_equal(smmu_block(registered, 0x10, 1), 0);
    /* the interrupt comes after it was seen to: nothing left to do */
    interrupt(IRQ_GERROR);
    assert_int_equal(s->cmdq.errors, 2);
}

static void never_completed(void **state) {
    struct smmu *s = start();
    uint64_t before;

    (void)state;
    deaf = true;
    before = now;
    assert_int_equal(smmu_flush(registered, 9, 0x1000, PAGE_SIZE), -EIO);
    assert_true(now - before >= 1000000000 && now - before < 2000000000);
    assert_int_equal(s->cmdq.timeouts, 1);
    /* nothing more is put behind it, nobody waits again */
    before = now;
    assert_int_equal(smmu_flush(registered, 9, 0x2000, PAGE_SIZE), -EIO);
    assert_true(now - before < 100000000);
    assert_int_equal(s->cmdq.timeouts, 1);
    deaf = false;
    do_commands();
    assert_int_equal(smmu_flush(registered, 9, 0x3000, PAGE_SIZE), 0);
}

/* Batches that are larger than the queue. */
static void tiny_queue(void **state) {
    struct smmu *s;

    (void)state;
    idr1 = IDR1_OF(16, 19, 2);
    s = start();
    assert_int_equal(s->cmdq.bits, 2);
    s->range_commands = false;
    for (unsigned i = 1; i <= 32; i++) {
        assert_int_equal(smmu_flush(registered, 9, 0x1000, i * PAGE_SIZE), 0);
        check_flush(0x1000, i, false);
    }
    /* refused in the first of several rounds: the whole has failed */
    refuse_at = 2;
    assert_int_equal(smmu_flush(registered, 9, 0x1000, 32 * PAGE_SIZE), -EIO);
}

/* ---- events ---- */

static void texts(void **state) {
    static const struct {
        uint64_t event[EVENT_WORDS];
        const char *text;
    } cases[] = {
        {{0x1000000010, EVT1_S2, 0x40001234, 0x40001000},
         "F_TRANSLATION, write of 0x40001234, stage 2, ipa page 0x40001000"},
        {{0x1000000013, EVT1_S2 | EVT1_READ, 0x8000000000, 0x8000000000},
         "F_PERMISSION, read of 0x8000000000, stage 2, ipa page 0x8000000000"},
        {{0x1000000002, 0, 0, 0}, "C_BAD_STREAMID"},
        {{0x1000000004, 0, 0, 0}, "C_BAD_STE"},
        {{0x10000000fe, 1, 2, 3}, "event 0xfe: 0x10000000fe 0x1 0x2 0x3"},
    };
    char text[SMMU_EVENT_TEXT];

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        smmu_event_text(cases[i].event, text);
        assert_string_equal(text, cases[i].text);
    }
}

static void event_lines(void **state) {
    struct smmu *s = start();

    (void)state;
    assert_int_equal(smmu_translate(registered, 0x10, 1, &some_table), 0);
    raise_event(0x10, 0x10, EVT1_S2, 0x5000);
    interrupt(IRQ_EVENTQ);
    assert_logged("smmu@9050000: stream 0x10 of d3: F_TRANSLATION, write of "
                  "0x5000, stage 2, ipa page 0x5000\n");
    assert_int_equal(*smmu_fault_counter(s, 0x10), 1);
    /* one the table has no entry for, and one that no table could */
    raise_event(0x02, 0x7000, 0, 0);
    raise_event(0x02, 0x12345678, 0, 0);
    interrupt(IRQ_EVENTQ);
    assert_logged("smmu@9050000: stream 0x12345678 of nobody: C_BAD_STREAMID\n");
    assert_int_equal(s->evtq.strays, 2);
    assert_int_equal(s->evtq.events, 3);
    registered->ops->show(registered);
    assert_logged("iommu: smmu@9050000: stream 0x10: 1 faults\n");
}

/* More than anybody can read: the interrupt rests, every event that found room is counted. */
static void storm(void **state) {
    struct smmu *s = start();
    unsigned raised = 0, rounds = 0;

    (void)state;
    may_print = false;
    assert_int_equal(smmu_translate(registered, 0x10, 1, &some_table), 0);
    while (rounds < 50) {
        while (raise_event(0x10, 0x10, EVT1_S2, 0x5000))
            raised++;
        assert_true((*at(SMMU_GERROR) ^ *at(SMMU_GERRORN)) & GERROR_EVENTQ_ABT);
        interrupt(IRQ_EVENTQ);
        interrupt(IRQ_GERROR);
        assert_true(timer_waits);
        assert_false(irqs[IRQ_EVENTQ].on);
        run_timer();
        rounds++;
    }
    while (timer_waits)
        run_timer();
    assert_true(irqs[IRQ_EVENTQ].on);
    assert_int_equal(s->evtq.events, raised);
    assert_int_equal(*smmu_fault_counter(s, 0x10), raised);
    assert_int_equal(faults_told, raised);
    assert_true(s->evtq.lost > 0);
    assert_int_equal(*at(SMMU_GERROR) ^ *at(SMMU_GERRORN), 0);
    /* and then one by one again */
    raise_event(0x10, 0x10, EVT1_S2, 0x5000);
    interrupt(IRQ_EVENTQ);
    assert_int_equal(s->evtq.events, raised + 1);
}

static void other_errors(void **state) {
    (void)start();
    (void)state;
    *at(SMMU_GERROR) ^= BIT(8);
    interrupt(IRQ_GERROR);
    assert_logged("error: smmu@9050000: global error 0x100; acknowledged\n");
    assert_int_equal(*at(SMMU_GERROR) ^ *at(SMMU_GERRORN), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        T(flushes), T(refused_command), T(never_completed), T(tiny_queue),
        T(texts),   T(event_lines),     T(storm),           T(other_errors),
    };

    return run_with_smmu(tests, ARRAY_SIZE(tests));
}
