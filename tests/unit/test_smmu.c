/* The SMMUv3 driver against a model of the device: taking over, encodings, entries at every step.
 */
/* SOURCES: drivers/smmu/smmu.c drivers/smmu/cmdq.c drivers/smmu/strtab.c drivers/smmu/evtq.c common/lib/fdt.c common/lib/spinlock.c */
#include "smmu_world.h"

/* ---- taking over ---- */

static void takes_over(void **state) {
    struct smmu *s;

    (void)state;
    *at(SMMU_CR0) = *at(SMMU_CR0ACK) = CR0_SMMUEN | CR0_CMDQEN; /* as firmware left it */
    *at(SMMU_GERROR) = GERROR_CMDQ;
    iommu_init(fdt);
    assert_true(abort_was_set);
    assert_int_equal(nr_registered, 1);
    s = smmu_of(registered);
    assert_true(registered->stage2 && registered->coherent && registered->live_split);
    assert_int_equal(registered->oas_bits, 44);
    assert_int_equal(registered->stream_end, 0x10000);
    assert_int_equal(registered->phandle, 7);
    assert_int_equal(*at(SMMU_CR0), CR0_SMMUEN | CR0_CMDQEN | CR0_EVENTQEN);
    assert_int_equal(*at(SMMU_CR1), 0xd75);
    assert_int_equal(*at(SMMU_STRTAB_BASE_CFG), 16 | 8 << 6 | 1 << 16);
    assert_int_equal(*at(SMMU_GERROR) ^ *at(SMMU_GERRORN), 0);
    assert_int_equal(*at(SMMU_IRQ_CTRL), IRQ_CTRL_EVENTQ | IRQ_CTRL_GERROR);
    assert_true(s->cmdq.bits <= 12 && s->evtq.bits <= 12);
    /* What it remembered is gone, before it was switched on again. */
    assert_int_equal(nr_done, 3);
    assert_int_equal(done[0].word[0], CMD_CFGI_ALL);
    assert_int_equal(done[1].word[0], CMD_TLBI_NSNH_ALL);
    assert_int_equal(done[2].word[0] & 0xff, CMD_SYNC);
    for (unsigned i = 0; i < s->nr_chunks; i++)
        assert_int_equal(s->l1[i], 0); /* no stream has an entry */
}

static void refused_with(const char *why) {
    nr_registered = 0;
    iommu_init(fdt);
    assert_int_equal(nr_registered, 1);
    assert_false(registered->stage2);
    assert_logged(why);
    /* and nothing passes through it */
    if (!deaf) {
        assert_true(*at(SMMU_GBPA) & GBPA_ABORT);
        assert_int_equal(*at(SMMU_CR0ACK), 0);
    }
}

static void useless(void **state) {
    (void)state;
    idr0 = IDR0_ALL & ~(uint32_t)IDR0_S2P;
    refused_with("no stage-2 translation");
    idr0 = IDR0_ALL;
    idr5 = 4;
    refused_with("no 4 KiB pages");
    idr5 = IDR5_GRAN4K | 4;
    idr1 |= 1u << 29;
    refused_with("tables and queues at fixed addresses");
}

/* Each allocation fails in turn: one line, nothing passes, and whoever asks about it gets an
 * answer. */
static void taken_over_without_memory(bool two_level) {
    unsigned n = 0;
    bool works;

    do {
        setup(NULL);
        if (!two_level) {
            idr0 = IDR0_ALL & ~(uint32_t)IDR0_ST_2LEVEL;
            idr1 = IDR1_OF(9, 19, 19);
        }
        fail_alloc = ++n;
        iommu_init(fdt);
        if (nr_registered && !registered->stage2) {
            assert_logged("no memory for its tables; no device behind it can be given to a domain");
            assert_true(*at(SMMU_GBPA) & GBPA_ABORT);
            assert_int_equal(*at(SMMU_CR0ACK), 0);
            registered->ops->show(registered);
        } else if (!nr_registered) {
            assert_logged("no room for another IOMMU; not used");
        }
        works = nr_registered && registered->stage2;
        assert_int_equal(works, fail_alloc != 0); /* each failure counts */
        for (unsigned i = 0; i < ARRAY_SIZE(objects); i++)
            hv_free(objects[i]);
    } while (!works);
    assert_true(n > 5);
}

static void no_memory(void **state) {
    (void)state;
    taken_over_without_memory(true);
    taken_over_without_memory(false);
    fail_alloc = 0;
}

static void no_ram_beyond(void **state) {
    (void)state;
    fake_ram_base = 0xff000000;
    idr5 = IDR5_GRAN4K | 0;
    refused_with("it cannot reach all RAM");
    idr5 = IDR5_GRAN4K | 1;
    nr_registered = 0;
    (void)start();
    assert_int_equal(registered->oas_bits, 36);
}

static void does_not_answer(void **state) {
    (void)state;
    deaf = true;
    refused_with("it does not obey");
    deaf = false;
    make_tree(0x1000);
    refused_with("expected its registers, 128 KiB");
}

static void small_ones(void **state) {
    struct smmu *s;

    (void)state;
    idr0 &= ~(uint32_t)(IDR0_ST_2LEVEL | IDR0_COHACC);
    idr1 = IDR1_OF(4, 2, 1); /* 16 streams, 4 events, 2 commands */
    idr3 = 0;
    s = start();
    assert_false(registered->coherent || registered->live_split || s->two_level);
    assert_int_equal(*at(SMMU_STRTAB_BASE_CFG), 4);
    assert_int_equal(*at(SMMU_CR1), 0);
    assert_int_equal(registered->stream_end, 16);
    for (unsigned i = 0; i < 16; i++)
        assert_int_equal(s->chunks[0].ste[i][0], STE0_ABORT);
    assert_int_equal(smmu_flush(registered, 5, 0x1000, 8 * PAGE_SIZE), 0);
    assert_int_equal(s->cmdq.tlb_commands, 8);
    assert_non_null(smmu_fault_counter(s, 15));
    assert_null(smmu_fault_counter(s, 16));
}

/* ---- encodings, as the specification's tables have them ---- */

#define assert_cmd(c, w0, w1)                                                                      \
    do {                                                                                           \
        struct smmu_cmd c_ = (c);                                                                  \
        assert_int_equal(c_.word[0], (w0));                                                        \
        assert_int_equal(c_.word[1], (w1));                                                        \
    } while (0)

static void encodings(void **state) {
    const struct iommu_table table = {
        .root = {0x123456789000}, .vmid = 0xab, .start_level = 0, .ipa_bits = 44};
    struct iommu_table other = {
        .root = {0x40001000}, .vmid = 1, .start_level = 1, .ipa_bits = 39, .fwb = true};
    uint64_t ste[STE_WORDS];

    (void)state;
    assert_cmd(smmu_cmd_cfgi_ste(0x89abcdef), 0x89abcdef00000003, 0);
    assert_cmd(smmu_cmd_cfgi_all(), 0x04, 0x1f);
    assert_cmd(smmu_cmd_tlbi_all(CMD_TLBI_NSNH_ALL), 0x30, 0);
    assert_cmd(smmu_cmd_tlbi_all(CMD_TLBI_EL2_ALL), 0x20, 0);
    assert_cmd(smmu_cmd_tlbi_vmid(0xab), 0x000000ab00000028, 0);
    assert_cmd(smmu_cmd_tlbi_ipa(0xab, 0x8000001000), 0x000000ab0000002a, 0x8000001000);
    assert_cmd(smmu_cmd_tlbi_range(0xab, 0x200000, 31, 4), 0x000000ab0041f02a, 0x200400);
    assert_cmd(smmu_cmd_sync(), 0x46, 0);

    smmu_ste_make(ste, &table, 44);
    assert_int_equal(ste[0], 0x0d);               /* V, stage 2 */
    assert_int_equal(ste[1], 0x0000100000000000); /* SHCFG = incoming */
    /* R, AA64, PS 44 bits, inner shareable, write-back, SL0 2, T0SZ 20 */
    assert_int_equal(ste[2], 0x040c3594000000ab);
    assert_int_equal(ste[3], 0x123456789000);
    for (unsigned i = 4; i < STE_WORDS; i++)
        assert_int_equal(ste[i], 0);
    smmu_ste_make(ste, &other, 40);
    assert_int_equal(ste[1], 0x0000100002000000);
    assert_int_equal(ste[2], 0x040a355900000001); /* PS 40 bits, SL0 1, T0SZ 25 */
}

/* ---- entries ---- */

enum meaning { MEANS_ABORT, MEANS_A, MEANS_B, MEANS_NOTHING };

static uint64_t ste_a[STE_WORDS], ste_b[STE_WORDS], ste_abort[STE_WORDS] = {STE0_ABORT};

static enum meaning meaning_of(const uint64_t ste[STE_WORDS]) {
    if (ste[0] == STE0_ABORT)
        return MEANS_ABORT; /* whatever else it says */
    if (!memcmp(ste, ste_a, sizeof(ste_a)))
        return MEANS_A;
    if (!memcmp(ste, ste_b, sizeof(ste_b)))
        return MEANS_B;
    return MEANS_NOTHING;
}

/*
 * Between two invalidations the device may have any mixture of the words before and after. None may
 * mean anything but abort, what was and what is to be.
 */
static void transition(const uint64_t *from, const uint64_t *to, unsigned expected_steps) {
    uint64_t live[STE_WORDS];
    unsigned steps = 0;
    bool more = true;

    memcpy(live, from, sizeof(live));
    while (more) {
        uint64_t before[STE_WORDS];

        memcpy(before, live, sizeof(before));
        more = smmu_ste_step(live, to);
        steps++;
        for (unsigned mix = 0; mix < 1u << STE_WORDS; mix++) {
            uint64_t seen[STE_WORDS];
            enum meaning m;

            for (unsigned i = 0; i < STE_WORDS; i++)
                seen[i] = mix & 1u << i ? live[i] : before[i];
            m = meaning_of(seen);
            assert_true(m == MEANS_ABORT || m == meaning_of(from) || m == meaning_of(to));
        }
    }
    assert_int_equal(meaning_of(live), meaning_of(to));
    assert_int_equal(steps, expected_steps);
}

static void entry_steps(void **state) {
    const struct iommu_table a = {
        .root = {0x41000000}, .vmid = 3, .start_level = 0, .ipa_bits = 44};
    const struct iommu_table b = {
        .root = {0x42000000}, .vmid = 4, .start_level = 1, .ipa_bits = 39};
    uint64_t stale[STE_WORDS];

    (void)state;
    smmu_ste_make(ste_a, &a, 44);
    smmu_ste_make(ste_b, &b, 44);
    transition(ste_abort, ste_abort, 1);
    transition(ste_abort, ste_a, 2);
    transition(ste_a, ste_abort, 1);
    transition(ste_a, ste_a, 1); /* hitless: never anything else */
    transition(ste_a, ste_b, 3);
    /* blocked, with the words of its former owner behind it */
    memcpy(stale, ste_b, sizeof(stale));
    stale[0] = STE0_ABORT;
    transition(stale, ste_a, 2);
    transition(stale, ste_abort, 1);
}

static void streams(void **state) {
    struct smmu *s = start();
    uint64_t wanted[STE_WORDS];
    uint64_t *l1 = s->l1;

    (void)state;
    smmu_ste_make(wanted, &some_table, 44);
    /* across the border of two second-level tables */
    assert_int_equal(smmu_translate(registered, 0xfe, 4, &some_table), 0);
    assert_int_equal(count_done(CMD_CFGI_STE), 8);
    for (unsigned n = 0; n < s->nr_chunks; n++) {
        assert_int_equal(!l1[n], n > 1);
        for (unsigned i = 0; l1[n] && i < SMMU_CHUNK; i++) {
            const uint64_t *ste = phys_to_virt(paddr((l1[n] & ~0x3fULL) + i * 64));
            uint32_t stream = n * SMMU_CHUNK + i;

            assert_int_equal(l1[n] & 0x1f, 9);
            assert_memory_equal(ste, stream >= 0xfe && stream <= 0x101 ? wanted : ste_abort,
                                stream >= 0xfe && stream <= 0x101 ? 64 : 8);
        }
    }
    assert_int_equal(smmu_block(registered, 0xfe, 4), 0);
    assert_int_equal(count_done(CMD_CFGI_STE), 4);
    assert_int_equal(s->chunks[0].ste[0xfe][0], STE0_ABORT);
    assert_int_equal(s->chunks[1].ste[1][0], STE0_ABORT);
    /* streams that never had an entry are blocked as they are */
    assert_int_equal(smmu_block(registered, 0x8000, 2), 0);
    assert_int_equal(l1[0x80], 0);
    /* many at once: one command */
    assert_int_equal(smmu_translate(registered, 0x200, 0x400, &some_table), 0);
    assert_int_equal(count_done(CMD_CFGI_ALL), 2);
}

static void no_memory_for_streams(void **state) {
    struct smmu *s = start();

    (void)state;
    for (unsigned n = 1; n <= 2; n++) {
        fail_alloc = n;
        assert_int_equal(smmu_translate(registered, 0x10, 1, &some_table), -ENOMEM);
        assert_int_equal(s->l1[0], 0);
        assert_int_equal(nr_done, 0);
    }
    assert_int_equal(smmu_translate(registered, 0x10, 1, &some_table), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        T(takes_over), T(useless),   T(no_memory),   T(no_ram_beyond), T(does_not_answer),
        T(small_ones), T(encodings), T(entry_steps), T(streams),       T(no_memory_for_streams),
    };

    return run_with_smmu(tests, ARRAY_SIZE(tests));
}
