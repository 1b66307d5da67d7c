/*
 * The stream table: what each stream may do. An entry is abort or stage 2, and the SMMU never sees
 * anything between: words it ignores in the one state are written before the word that makes it the
 * other (IHI 0070, section 3.21).
 */
#include <hv/errno.h>
#include <hv/printk.h>

#include <asm/barrier.h>
#include <asm/cache.h>

#include "smmu.h"

/* More streams than these cannot be named by any bus; the level-1 table is then 1 MiB. */
#define MAX_SID_BITS 25u
#define MAX_LINEAR_SID_BITS 16u
/* Streams whose entries are invalidated one by one. */
#define CFGI_MAX 32u

/* Output size as in ID_AA64MMFR0_EL1.PARange; nothing above 48 bits with 4 KiB pages. */
static unsigned ps_field(unsigned bits) {
    return bits >= 48 ? 5 : bits >= 44 ? 4 : bits >= 42 ? 3 : bits >= 40 ? 2 : bits >= 36 ? 1 : 0;
}

void smmu_ste_make(uint64_t ste[STE_WORDS], const struct iommu_table *table, unsigned oas_bits) {
    for (unsigned i = 0; i < STE_WORDS; i++)
        ste[i] = 0;
    ste[0] = STE0_V | STE0_CONFIG_S2;
    ste[1] = STE1_SHCFG_INCOMING | (table->fwb ? STE1_S2FWB : 0);
    ste[2] = STE2_VMID(table->vmid) | STE2_T0SZ(table->ipa_bits) | STE2_SL0(table->start_level) |
             STE2_IR0_WB | STE2_OR0_WB | STE2_SH0_INNER | STE2_PS(ps_field(oas_bits)) | STE2_AA64 |
             STE2_R;
    ste[3] = table->root.pa & STE3_TTB;
}

static const uint64_t abort_ste[STE_WORDS] = {STE0_ABORT};

bool smmu_ste_step(uint64_t live[STE_WORDS], const uint64_t target[STE_WORDS]) {
    bool same = true;

    for (unsigned i = 1; i < STE_WORDS; i++)
        same &= live[i] == target[i];
    /* Abort ignores all other words. */
    if (same || target[0] == STE0_ABORT) {
        WRITE_ONCE(live[0], target[0]);
        return false;
    }
    if (live[0] != STE0_ABORT) {
        WRITE_ONCE(live[0], STE0_ABORT);
        return true;
    }
    for (unsigned i = 1; i < STE_WORDS; i++)
        WRITE_ONCE(live[i], target[i]);
    return true;
}

/* ---- the table ---- */

static void fill_abort(const struct smmu *s, uint64_t (*ste)[STE_WORDS], uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        ste[i][0] = STE0_ABORT;
    smmu_publish(s, ste, count * sizeof(*ste));
}

static uint32_t chunk_size(const struct smmu *s) {
    return MIN(SMMU_CHUNK, 1u << s->sid_bits);
}

/* Second-level table and counters for one chunk. */
static int add_chunk(struct smmu *s, unsigned n) {
    struct smmu_chunk *c = &s->chunks[n];
    uint64_t(*ste)[STE_WORDS];
    uint32_t *faults;

    if (c->ste)
        return 0;
    faults = hv_zalloc(sizeof(*faults) * chunk_size(s));
    ste = faults ? smmu_alloc(s, sizeof(*ste) * SMMU_CHUNK) : NULL;
    if (!ste) {
        hv_free(faults);
        return -ENOMEM;
    }
    fill_abort(s, ste, SMMU_CHUNK);
    __atomic_store_n(&c->faults, faults, __ATOMIC_RELEASE);
    c->ste = ste;
    WRITE_ONCE(s->l1[n], virt_to_phys(ste).pa | L1STD_SPAN(SMMU_CHUNK_BITS));
    smmu_publish(s, &s->l1[n], sizeof(s->l1[n]));
    return 0;
}

static int init_linear(struct smmu *s) {
    uint64_t(*table)[STE_WORDS] = smmu_alloc(s, sizeof(*table) << s->sid_bits);

    if (!table)
        return -ENOMEM;
    fill_abort(s, table, 1u << s->sid_bits);
    for (unsigned n = 0; n < s->nr_chunks; n++) {
        s->chunks[n].ste = table + (uint64_t)n * SMMU_CHUNK;
        s->chunks[n].faults = hv_zalloc(sizeof(uint32_t) * chunk_size(s));
        if (!s->chunks[n].faults)
            return -ENOMEM;
    }
    return 0;
}

int smmu_strtab_init(struct smmu *s) {
    uint32_t idr0 = smmu_read(s, SMMU_IDR0), nr_chunks;

    s->sid_bits = (unsigned)bits_get(smmu_read(s, SMMU_IDR1), IDR1_SIDSIZE);
    s->two_level = (idr0 & IDR0_ST_2LEVEL) && s->sid_bits > SMMU_CHUNK_BITS;
    s->sid_bits = MIN(s->sid_bits, s->two_level ? MAX_SID_BITS : MAX_LINEAR_SID_BITS);
    s->iommu.stream_end = 1u << s->sid_bits;
    nr_chunks = DIV_ROUND_UP(s->iommu.stream_end, SMMU_CHUNK);
    s->chunks = hv_zalloc(sizeof(*s->chunks) * nr_chunks);
    if (!s->chunks)
        return -ENOMEM;
    s->nr_chunks = nr_chunks;
    if (!s->two_level)
        return init_linear(s);
    s->l1 = smmu_alloc(s, sizeof(*s->l1) * s->nr_chunks);
    return s->l1 ? 0 : -ENOMEM;
}

void smmu_strtab_start(struct smmu *s) {
    const void *base = s->two_level ? (void *)s->l1 : (void *)s->chunks[0].ste;

    smmu_write64(s, SMMU_STRTAB_BASE, virt_to_phys(base).pa | BASE_ALLOC_HINT);
    smmu_write(s, SMMU_STRTAB_BASE_CFG,
               s->sid_bits | (s->two_level ? STRTAB_CFG_2LEVEL | SMMU_CHUNK_BITS << 6 : 0));
}

uint32_t *smmu_fault_counter(struct smmu *s, uint32_t stream) {
    uint32_t *faults;

    if (stream >= s->iommu.stream_end)
        return NULL;
    faults = __atomic_load_n(&s->chunks[stream / SMMU_CHUNK].faults, __ATOMIC_ACQUIRE);
    return faults ? &faults[stream % SMMU_CHUNK] : NULL;
}

/* ---- changing it ---- */

/* The SMMU forgets what it remembers of the entries. */
static int invalidate(struct smmu *s, uint32_t first, uint32_t count) {
    smmu_batch_begin(s);
    if (count > CFGI_MAX)
        smmu_batch_add(s, smmu_cmd_cfgi_all());
    else
        for (uint32_t i = 0; i < count; i++)
            smmu_batch_add(s, smmu_cmd_cfgi_ste(first + i));
    return smmu_batch_end(s);
}

/* One step of all entries. True: there is another. */
static bool step_all(struct smmu *s, uint32_t first, uint32_t count, const uint64_t *target) {
    bool more = false;

    for (uint32_t i = 0; i < count; i++) {
        const struct smmu_chunk *c = &s->chunks[(first + i) / SMMU_CHUNK];
        uint64_t *ste;

        if (!c->ste)
            continue; /* only when blocking: an absent entry blocks */
        ste = c->ste[(first + i) % SMMU_CHUNK];
        more |= smmu_ste_step(ste, target);
        if (!s->iommu.coherent)
            dcache_clean_poc(ste, sizeof(*c->ste));
    }
    dsb(st);
    return more;
}

static int set_all(struct smmu *s, uint32_t first, uint32_t count, const uint64_t *target) {
    bool more = true;
    int rc = 0;

    while (more && !rc) {
        more = step_all(s, first, count, target);
        rc = invalidate(s, first, count);
    }
    return rc;
}

int smmu_translate(struct iommu *iommu, uint32_t first, uint32_t count,
                   const struct iommu_table *table) {
    struct smmu *s = smmu_of(iommu);
    uint64_t ste[STE_WORDS];

    for (uint32_t n = first / SMMU_CHUNK; n <= (first + count - 1) / SMMU_CHUNK; n++)
        if (add_chunk(s, n))
            return -ENOMEM;
    smmu_ste_make(ste, table, iommu->oas_bits);
    return set_all(s, first, count, ste);
}

int smmu_block(struct iommu *iommu, uint32_t first, uint32_t count) {
    return set_all(smmu_of(iommu), first, count, abort_ste);
}
