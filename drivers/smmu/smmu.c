/* SMMUv3: finding them, and taking them over from whatever ran before (contract in hv/iommu.h). */
#include "smmu.h"

#include <hv/cmdline.h>
#include <hv/errno.h>
#include <hv/fdt.h>
#include <hv/printk.h>
#include <hv/string.h>

#include <asm/barrier.h>
#include <asm/cache.h>
#include <asm/io.h>

#include <libfdt.h>

#define ANSWER_NS 1000000000ULL

uint32_t smmu_read(const struct smmu *s, unsigned reg) {
    return readl(s->regs + reg);
}

void smmu_write(const struct smmu *s, unsigned reg, uint32_t val) {
    writel(val, s->regs + reg);
}

void smmu_write64(const struct smmu *s, unsigned reg, uint64_t val) {
    writeq(val, s->regs + reg);
}

void smmu_publish(const struct smmu *s, const void *at, size_t size) {
    if (!s->iommu.coherent)
        dcache_clean_poc(at, size);
    dsb(st);
}

void *smmu_alloc(const struct smmu *s, size_t size) {
    unsigned order = order_of_size(size);
    void *p = xenheap_alloc(order);

    if (p) {
        clear_range(p, PAGE_SIZE << order);
        smmu_publish(s, p, PAGE_SIZE << order);
    }
    return p;
}

bool smmu_wait(const struct smmu *s, unsigned reg, uint32_t mask, uint32_t value,
               const char *what) {
    uint64_t deadline = time_ns() + ANSWER_NS;

    while ((smmu_read(s, reg) & mask) != value) {
        if (time_ns() > deadline && (smmu_read(s, reg) & mask) != value) {
            printk("error: %s: no answer: %s; not waited for any longer\n", s->name, what);
            return false;
        }
        cpu_relax();
    }
    return true;
}

/* ---- taking over ---- */

/* Without its tables the SMMU aborts everything, and never lets it through. */
static bool block_all(const struct smmu *s) {
    uint32_t gbpa;

    if (!smmu_wait(s, SMMU_GBPA, GBPA_UPDATE, 0, "global abort"))
        return false;
    gbpa = smmu_read(s, SMMU_GBPA);
    smmu_write(s, SMMU_GBPA, gbpa | (uint32_t)(GBPA_ABORT | GBPA_UPDATE));
    if (!smmu_wait(s, SMMU_GBPA, GBPA_UPDATE, 0, "global abort"))
        return false;
    smmu_write(s, SMMU_IRQ_CTRL, 0);
    smmu_write(s, SMMU_CR0, 0);
    return smmu_wait(s, SMMU_CR0ACK, ~0u, 0, "off");
}

static bool set_cr0(const struct smmu *s, uint32_t bits) {
    smmu_write(s, SMMU_CR0, bits);
    return smmu_wait(s, SMMU_CR0ACK, ~0u, bits, "CR0");
}

/* Nothing that was remembered before counts. */
static int forget_all(struct smmu *s) {
    smmu_batch_begin(s);
    smmu_batch_add(s, smmu_cmd_cfgi_all());
    if (smmu_read(s, SMMU_IDR0) & IDR0_HYP)
        smmu_batch_add(s, smmu_cmd_tlbi_all(CMD_TLBI_EL2_ALL));
    smmu_batch_add(s, smmu_cmd_tlbi_all(CMD_TLBI_NSNH_ALL));
    return smmu_batch_end(s);
}

static bool start(struct smmu *s, const void *fdt, int node) {
    smmu_write(s, SMMU_CR1, s->iommu.coherent ? CR1_CACHED : 0);
    smmu_write(s, SMMU_CR2, CR2_PTM | CR2_RECINVSID);
    smmu_strtab_start(s);
    smmu_cmdq_start(s);
    smmu_evtq_start(s);
    if (smmu_read(s, SMMU_IDR0) & IDR0_MSI) { /* address 0: by wire */
        smmu_write64(s, SMMU_GERROR_IRQ_CFG0, 0);
        smmu_write64(s, SMMU_EVENTQ_IRQ_CFG0, 0);
    }
    /* Errors of before are not ours. */
    smmu_write(s, SMMU_GERRORN, smmu_read(s, SMMU_GERROR));
    if (!set_cr0(s, CR0_CMDQEN) || forget_all(s) || !set_cr0(s, CR0_CMDQEN | CR0_EVENTQEN))
        return false;
    smmu_irqs_init(s, fdt, node);
    return set_cr0(s, CR0_CMDQEN | CR0_EVENTQEN | CR0_SMMUEN);
}

/* ---- what it can ---- */

static unsigned oas_bits(const struct smmu *s) {
    static const uint8_t sizes[] = {32, 36, 40, 42, 44, 48, 48};
    unsigned field = (unsigned)bits_get(smmu_read(s, SMMU_IDR5), IDR5_OAS);

    return field < ARRAY_SIZE(sizes) ? sizes[field] : 48;
}

/* The last byte of RAM has an address that it can put out. */
static bool reaches_ram(unsigned bits) {
    paddr_t start;
    uint64_t size;

    for (unsigned i = 0; boot_mem_bank(i, &start, &size); i++)
        if ((start.pa + size - 1) >> bits)
            return false;
    return true;
}

/* NULL: it can serve. */
static const char *why_useless(const struct smmu *s) {
    uint32_t idr0 = smmu_read(s, SMMU_IDR0);

    if (!(idr0 & IDR0_S2P) || !(idr0 & IDR0_TTF_AA64))
        return "no stage-2 translation";
    if (!(smmu_read(s, SMMU_IDR5) & IDR5_GRAN4K))
        return "no 4 KiB pages";
    if (smmu_read(s, SMMU_IDR1) & IDR1_PRESET)
        return "tables and queues at fixed addresses";
    if (!reaches_ram(s->iommu.oas_bits))
        return "it cannot reach all RAM";
    return NULL;
}

static void show(struct iommu *iommu) {
    struct smmu *s = smmu_of(iommu);

    printk("iommu: %s: %llu commands, %llu of them for the TLB, %llu syncs, %llu errors, %llu "
           "time-outs; %llu events, %llu of unknown streams, lost %llu times\n",
           s->name, (unsigned long long)s->cmdq.commands, (unsigned long long)s->cmdq.tlb_commands,
           (unsigned long long)s->cmdq.syncs, (unsigned long long)s->cmdq.errors,
           (unsigned long long)s->cmdq.timeouts, (unsigned long long)s->evtq.events,
           (unsigned long long)s->evtq.strays, (unsigned long long)s->evtq.lost);
    for (uint32_t n = 0; n < s->nr_chunks; n++)
        for (uint32_t i = 0; s->chunks[n].faults && i < SMMU_CHUNK && i < iommu->stream_end; i++)
            if (s->chunks[n].faults[i])
                printk("iommu: %s: stream %#x: %u faults\n", s->name, n * SMMU_CHUNK + i,
                       s->chunks[n].faults[i]);
}

static const struct iommu_ops ops = {
    .translate = smmu_translate, .block = smmu_block, .flush = smmu_flush, .show = show};

/* Everything it will need; what was taken before a failure is not worth giving back at boot. */
static int prepare(struct smmu *s) {
    int rc = smmu_strtab_init(s);

    if (!rc)
        rc = smmu_cmdq_init(s);
    return rc ? rc : smmu_evtq_init(s);
}

static void read_features(struct smmu *s) {
    uint32_t idr3 = smmu_read(s, SMMU_IDR3);

    s->iommu.oas_bits = (uint8_t)oas_bits(s);
    s->iommu.coherent =
        (smmu_read(s, SMMU_IDR0) & IDR0_COHACC) && cmdline_bool("iommu-coherent", true);
    s->iommu.live_split = bits_get(idr3, IDR3_BBML) == 2;
    s->iommu.fwb = idr3 & IDR3_FWB;
    s->range_commands = idr3 & IDR3_RIL;
}

/* NULL: it serves. Else why not, and all of its devices are blocked. */
static const char *take_over(struct smmu *s, const void *fdt, int node) {
    const char *why;

    if (!block_all(s))
        return "it does not obey";
    read_features(s);
    why = why_useless(s);
    if (why)
        return why;
    if (prepare(s))
        return "no memory for its tables";
    if (!start(s, fdt, node)) {
        (void)block_all(s);
        return "it does not obey";
    }
    return NULL;
}

static void probe(const void *fdt, int node) {
    char path[FDT_PATH_MAX];
    struct smmu *s = hv_zalloc(sizeof(*s));
    uint64_t base, size;
    const char *why;

    if (!s || iommu_register(&s->iommu)) {
        printk("error: %s: no room for another IOMMU; not used\n", fdt_path(fdt, node, path));
        hv_free(s);
        return;
    }
    s->iommu.ops = &ops;
    s->iommu.name = s->name;
    s->iommu.phandle = fdt_get_phandle(fdt, node);
    if (fdt_reg(fdt, node, 0, &base, &size) || size < SMMU_REGS_SIZE) {
        hv_strlcpy(s->name, fdt_get_name(fdt, node, NULL), sizeof(s->name));
        why = "reg: expected its registers, 128 KiB";
    } else {
        hv_snprintf(s->name, sizeof(s->name), "smmu@%llx", (unsigned long long)base);
        s->regs = ioremap(paddr(base), size);
        why = s->regs ? take_over(s, fdt, node) : "its registers cannot be mapped";
    }
    if (why) {
        printk("error: %s: %s; no device behind it can be given to a domain\n", s->name, why);
        return;
    }
    s->iommu.stage2 = true;
    printk("%s: SMMUv3, %u-bit streams%s, %u-bit addresses%s%s%s\n", s->name, s->sid_bits,
           s->two_level ? " in two levels" : "", s->iommu.oas_bits,
           s->iommu.coherent ? ", coherent" : "", s->range_commands ? ", range commands" : "",
           s->iommu.live_split ? ", live splits" : "");
}

void iommu_init(const void *fdt) {
    for (int node = -1; (node = fdt_next_compatible(fdt, node, "arm,smmu-v3")) >= 0;)
        probe(fdt, node);
}
