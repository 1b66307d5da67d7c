/* The command queue: encodings, batches that end in a CMD_SYNC, and recovery from bad commands. */
#include <hv/errno.h>
#include <hv/printk.h>

#include <asm/barrier.h>

#include "smmu.h"

#define CMDQ_BITS 8u /* more than any one operation needs, in one page */
#define SYNC_TIMEOUT_NS 1000000000ULL

/* ---- encodings: IHI 0070, sections 4.3, 4.4 and 4.7 ---- */

#define CMD_SYNC_NO_SIGNAL 0
#define TLBI_TG_4K (1ULL << 10)

struct smmu_cmd smmu_cmd_cfgi_ste(uint32_t stream) {
    /* Leaf = 0: with the level-1 descriptor. */
    return (struct smmu_cmd){{CMD_CFGI_STE | (uint64_t)stream << 32, 0}};
}

struct smmu_cmd smmu_cmd_cfgi_all(void) {
    return (struct smmu_cmd){{CMD_CFGI_ALL, 31}};
}

struct smmu_cmd smmu_cmd_tlbi_all(uint8_t opcode) {
    return (struct smmu_cmd){{opcode, 0}};
}

struct smmu_cmd smmu_cmd_tlbi_vmid(uint16_t vmid) {
    return (struct smmu_cmd){{CMD_TLBI_S12_VMALL | (uint64_t)vmid << 32, 0}};
}

/* Leaf = 0: the walks that led there as well. No level hint: a block's entry has to go, too. */
struct smmu_cmd smmu_cmd_tlbi_ipa(uint16_t vmid, uint64_t ipa) {
    return (struct smmu_cmd){{CMD_TLBI_S2_IPA | (uint64_t)vmid << 32, ipa & GENMASK(51, 12)}};
}

struct smmu_cmd smmu_cmd_tlbi_range(uint16_t vmid, uint64_t ipa, unsigned num, unsigned scale) {
    struct smmu_cmd c = smmu_cmd_tlbi_ipa(vmid, ipa);

    c.word[0] |= (uint64_t)num << 12 | (uint64_t)scale << 20;
    c.word[1] |= TLBI_TG_4K;
    return c;
}

struct smmu_cmd smmu_cmd_sync(void) {
    return (struct smmu_cmd){{CMD_SYNC | CMD_SYNC_NO_SIGNAL << 12, 0}};
}

/* ---- the queue ---- */

static uint32_t index_mask(const struct smmu_cmdq *q) {
    return (1u << q->bits) - 1;
}
/* Index and wrap bit. */
static uint32_t place_mask(const struct smmu_cmdq *q) {
    return (2u << q->bits) - 1;
}

int smmu_cmdq_init(struct smmu *s) {
    struct smmu_cmdq *q = &s->cmdq;

    spin_lock_init(&q->lock, RANK_IOMMU_QUEUE, "smmu commands");
    q->bits = MIN(CMDQ_BITS, (unsigned)bits_get(smmu_read(s, SMMU_IDR1), IDR1_CMDQS));
    q->entries = smmu_alloc(s, sizeof(*q->entries) << q->bits);
    return q->entries ? 0 : -ENOMEM;
}

void smmu_cmdq_start(struct smmu *s) {
    smmu_write64(s, SMMU_CMDQ_BASE,
                 virt_to_phys(s->cmdq.entries).pa | BASE_ALLOC_HINT | s->cmdq.bits);
    smmu_write(s, SMMU_CMDQ_PROD, 0);
    smmu_write(s, SMMU_CMDQ_CONS, 0);
}

static void put_command(struct smmu *s, struct smmu_cmd cmd) {
    struct smmu_cmdq *q = &s->cmdq;
    uint64_t *at = q->entries[q->prod & index_mask(q)];

    at[0] = cmd.word[0];
    at[1] = cmd.word[1];
    smmu_publish(s, at, sizeof(cmd));
    q->prod = (q->prod + 1) & place_mask(q);
    q->commands++;
}

static const char *error_name(unsigned err) {
    static const char *const names[] = {"none", "illegal command", "its memory cannot be read",
                                        "ATC invalidation timed out"};

    return err < ARRAY_SIZE(names) ? names[err] : "unknown";
}

/*
 * The queue has stopped at CONS (section 7.1): the bad command becomes a CMD_SYNC, so that what
 * follows is done; the batch it was of has failed all the same.
 */
static void recover(struct smmu *s) {
    struct smmu_cmdq *q = &s->cmdq;
    uint32_t cons = smmu_read(s, SMMU_CMDQ_CONS);
    uint64_t *at = q->entries[cons & index_mask(q)];
    struct smmu_cmd sync = smmu_cmd_sync();

    q->errors++;
    q->bad = true;
    printk("error: %s: command %#llx %#llx refused: %s; a sync takes its place\n", s->name,
           (unsigned long long)at[0], (unsigned long long)at[1],
           error_name((unsigned)bits_get(cons, CMDQ_CONS_ERR)));
    at[0] = sync.word[0];
    at[1] = sync.word[1];
    smmu_publish(s, at, sizeof(sync));
    smmu_write(s, SMMU_GERRORN, smmu_read(s, SMMU_GERRORN) ^ GERROR_CMDQ);
}

static void recover_if_stopped(struct smmu *s) {
    if ((smmu_read(s, SMMU_GERROR) ^ smmu_read(s, SMMU_GERRORN)) & GERROR_CMDQ)
        recover(s);
}

void smmu_cmdq_error_irq(struct smmu *s) {
    spin_lock(&s->cmdq.lock);
    recover_if_stopped(s);
    spin_unlock(&s->cmdq.lock);
}

static bool drained(const struct smmu *s) {
    return (smmu_read(s, SMMU_CMDQ_CONS) & place_mask(&s->cmdq)) == s->cmdq.prod;
}

/* A CMD_SYNC is consumed when all before it are complete. */
static void sync(struct smmu *s) {
    struct smmu_cmdq *q = &s->cmdq;
    uint64_t deadline;

    put_command(s, smmu_cmd_sync());
    q->syncs++;
    q->pending = 0;
    smmu_write(s, SMMU_CMDQ_PROD, q->prod);
    deadline = time_ns() + SYNC_TIMEOUT_NS;
    while (!drained(s)) {
        recover_if_stopped(s);
        if (time_ns() > deadline && !drained(s)) {
            q->timeouts++;
            q->bad = true;
            printk(
                "error: %s: commands are not completed; devices behind it count as not stopped\n",
                s->name);
            return;
        }
        cpu_relax();
    }
    dmb_loads(osh); /* what devices wrote before is seen by whoever has the page next */
}

void smmu_batch_begin(struct smmu *s) {
    spin_lock(&s->cmdq.lock);
    /* What timed out before may still stand in the queue: nothing can be had from it until then. */
    s->cmdq.bad = !drained(s);
}

void smmu_batch_add(struct smmu *s, struct smmu_cmd cmd) {
    struct smmu_cmdq *q = &s->cmdq;

    if (q->bad)
        return;
    if (q->pending == index_mask(q)) /* one place is left, for the CMD_SYNC */
        sync(s);
    if (q->bad)
        return;
    put_command(s, cmd);
    q->pending++;
}

int smmu_batch_end(struct smmu *s) {
    struct smmu_cmdq *q = &s->cmdq;
    int rc;

    if (q->pending)
        sync(s);
    rc = q->bad ? -EIO : 0;
    spin_unlock(&q->lock);
    return rc;
}

/* ---- TLB ---- */

/* Beyond these the whole VMID goes: a gigabyte by ranges, and what is worth it page by page. */
#define FLUSH_MAX_RANGE_PAGES (1ULL << 18)
#define FLUSH_MAX_PAGES 32u

static void add_tlbi(struct smmu *s, struct smmu_cmd cmd) {
    smmu_batch_add(s, cmd);
    s->cmdq.tlb_commands++;
}

/* Exactly `pages` from ipa on: five bits of the number with each command. */
static void add_ranges(struct smmu *s, uint16_t vmid, uint64_t ipa, uint64_t pages) {
    while (pages > 1) {
        unsigned scale = ffs64(pages), num = (unsigned)(pages >> scale) & 31;

        if (num == 1 && !scale)
            add_tlbi(s, smmu_cmd_tlbi_ipa(vmid, ipa));
        else
            add_tlbi(s, smmu_cmd_tlbi_range(vmid, ipa, num - 1, scale));
        ipa += (uint64_t)num << scale << PAGE_SHIFT;
        pages -= (uint64_t)num << scale;
    }
    if (pages)
        add_tlbi(s, smmu_cmd_tlbi_ipa(vmid, ipa));
}

int smmu_flush(struct iommu *iommu, uint16_t vmid, uint64_t ipa, uint64_t size) {
    struct smmu *s = smmu_of(iommu);
    uint64_t pages = size >> PAGE_SHIFT;

    smmu_batch_begin(s);
    if (!size || pages > (s->range_commands ? FLUSH_MAX_RANGE_PAGES : FLUSH_MAX_PAGES))
        add_tlbi(s, smmu_cmd_tlbi_vmid(vmid));
    else if (s->range_commands)
        add_ranges(s, vmid, ipa, pages);
    else
        for (; pages; pages--, ipa += PAGE_SIZE)
            add_tlbi(s, smmu_cmd_tlbi_ipa(vmid, ipa));
    return smmu_batch_end(s);
}
