/*
 * Shared by the files of the SMMUv3 driver (Arm IHI 0070).
 *
 * The stream table is changed under the core's iommu_lock, by probe, translate() and block(); the
 * command queue has a lock of its own (RANK_IOMMU_QUEUE), the event queue too (RANK_IOMMU_EVENTS).
 */
#ifndef SMMU_H
#define SMMU_H

#include <hv/iommu.h>
#include <hv/mm.h>
#include <hv/printk.h>
#include <hv/spinlock.h>
#include <hv/timer.h>

#include <asm/layout.h>

#include "regs.h"

#define SMMU_NAME_MAX 32
#define SMMU_CHUNK_BITS 8u /* of a stream number: streams in one second-level table */
#define SMMU_CHUNK (1u << SMMU_CHUNK_BITS)

/* Part of the stream table that exists; absent streams fault. */
struct smmu_chunk {
    uint64_t (*ste)[STE_WORDS];
    uint32_t *faults; /* a counter per stream */
};

struct smmu_cmd {
    uint64_t word[2];
};

struct smmu {
    struct iommu iommu;
    volatile uint8_t *regs;
    char name[SMMU_NAME_MAX];
    unsigned sid_bits;
    bool range_commands; /* RIL */
    bool two_level;

    struct smmu_chunk *chunks;
    unsigned nr_chunks;
    uint64_t *l1; /* level-1 descriptors; NULL when the table is linear */

    struct smmu_cmdq {
        spinlock_t lock;
        uint64_t (*entries)[2];
        unsigned bits;
        uint32_t prod;    /* with the wrap bit above the index */
        uint32_t pending; /* since the last CMD_SYNC */
        bool bad;         /* something of the current batch failed */
        uint64_t commands, tlb_commands, syncs, errors, timeouts;
    } cmdq;

    struct smmu_evtq {
        spinlock_t lock;
        uint64_t (*entries)[EVENT_WORDS];
        unsigned bits;
        uint32_t cons;
        unsigned irq;
        bool resting; /* the interrupt is off until the timer runs */
        struct timer timer;
        uint64_t events, strays, lost; /* strays: of streams without an entry */
        struct ratelimit log;
    } evtq;
};

static inline struct smmu *smmu_of(struct iommu *iommu) {
    return container_of(iommu, struct smmu, iommu);
}

/* ---- smmu.c ---- */
uint32_t smmu_read(const struct smmu *s, unsigned reg);
void smmu_write(const struct smmu *s, unsigned reg, uint32_t val);
void smmu_write64(const struct smmu *s, unsigned reg, uint64_t val);
/* What was written before is seen by the SMMU before anything written afterwards. */
void smmu_publish(const struct smmu *s, const void *at, size_t size);
/* Zeroed memory for it, naturally aligned. NULL: none. */
void *smmu_alloc(const struct smmu *s, size_t size);
/* Waits until the register's bits have the value; false after a second, with a line. */
bool smmu_wait(const struct smmu *s, unsigned reg, uint32_t mask, uint32_t value, const char *what);

/* ---- cmdq.c ---- */
struct smmu_cmd smmu_cmd_cfgi_ste(uint32_t stream);
struct smmu_cmd smmu_cmd_cfgi_all(void);
struct smmu_cmd smmu_cmd_tlbi_all(uint8_t opcode); /* of NSNH or EL2 */
struct smmu_cmd smmu_cmd_tlbi_vmid(uint16_t vmid);
struct smmu_cmd smmu_cmd_tlbi_ipa(uint16_t vmid, uint64_t ipa);
/* (num + 1) << scale pages; num below 32. Not for one page: that encoding is reserved. */
struct smmu_cmd smmu_cmd_tlbi_range(uint16_t vmid, uint64_t ipa, unsigned num, unsigned scale);
struct smmu_cmd smmu_cmd_sync(void);

/* 0 or -ENOMEM; then the registers may be set by smmu_cmdq_start(). */
int smmu_cmdq_init(struct smmu *s) __must_check;
void smmu_cmdq_start(struct smmu *s);
/* A batch: begin, any number of commands, end. end() returns when all are complete: 0, or -EIO when
 * one failed or the SMMU did not answer within a second. */
void smmu_batch_begin(struct smmu *s);
void smmu_batch_add(struct smmu *s, struct smmu_cmd cmd);
int smmu_batch_end(struct smmu *s) __must_check;
/* GERROR says that the queue has stopped at a bad command. */
void smmu_cmdq_error_irq(struct smmu *s);
int smmu_flush(struct iommu *iommu, uint16_t vmid, uint64_t ipa, uint64_t size) __must_check;

/* ---- strtab.c ---- */
void smmu_ste_make(uint64_t ste[STE_WORDS], const struct iommu_table *table, unsigned oas_bits);
/*
 * Writes as much of the target into a live entry as the SMMU may see at once. True: invalidate what
 * it remembers of the entry, then call again. False: the entry is the target, invalidate once more.
 */
bool smmu_ste_step(uint64_t live[STE_WORDS], const uint64_t target[STE_WORDS]);
int smmu_strtab_init(struct smmu *s) __must_check; /* 0 or -ENOMEM: all streams blocked */
void smmu_strtab_start(struct smmu *s);
int smmu_translate(struct iommu *iommu, uint32_t first, uint32_t count,
                   const struct iommu_table *table) __must_check;
int smmu_block(struct iommu *iommu, uint32_t first, uint32_t count) __must_check;
/* NULL when the stream has no entry. */
uint32_t *smmu_fault_counter(struct smmu *s, uint32_t stream);

/* ---- evtq.c ---- */
#define SMMU_EVENT_TEXT 128
/* "F_TRANSLATION, write of 0x..." */
void smmu_event_text(const uint64_t event[EVENT_WORDS], char buf[SMMU_EVENT_TEXT]);
int smmu_evtq_init(struct smmu *s) __must_check;
void smmu_evtq_start(struct smmu *s);
/* Takes the interrupts the node names; without them faults are not told. */
void smmu_irqs_init(struct smmu *s, const void *fdt, int node);

#endif
