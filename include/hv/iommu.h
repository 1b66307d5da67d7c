/*
 * Floor 4: what devices may reach by DMA. Contract: docs/smmu.md.
 *
 * A *stream* is what an IOMMU knows a device by (SMMUv3: StreamID). A stream that belongs to nobody
 * is blocked. A domain that owns devices has one struct iommu_domain, whose table is either a
 * mirror of its P2M (only what DMA may reach, the default) or the P2M's own table ("shared").
 *
 * The order of a device's life:
 *   iommu_domain_create()  before its first device; the P2M may hold mappings already
 *   iommu_attach()         the device is quiet; give its bus mastering back only after this
 *   iommu_domain_destroy() blocks what is still attached, before any page goes back
 *
 * Locks: RANK_IOMMU, below it RANK_IOMMU_QUEUE. attach, create and destroy are called with no
 * P2M lock held.
 */
#ifndef HV_IOMMU_H
#define HV_IOMMU_H

#include <hv/p2m.h>
#include <hv/types.h>

struct domain_pages;
struct iommu;
struct iommu_domain;

/* Streams [first, first + count) of one IOMMU; they are assigned together. */
struct iommu_streams {
    struct iommu *iommu;
    uint32_t first, count;
};

void iommu_cmdline_init(void); /* iommu=: before any domain has devices */
/* Finds every IOMMU of the device tree, blocks all DMA through it and takes it over. PCI bus
 * mastering is off. Boot CPU, once, after p2m_global_init(). Defined by the driver. */
void iommu_init(const void *fdt);

/* ---- host device tree ---- */
/*
 * Entry `index` of the node's `iommus`: one stream. 0; -ENOENT: no such entry (index 0: the device
 * is behind no IOMMU); -EINVAL: malformed; -ENODEV: its IOMMU has no driver here or cannot
 * translate stage 2 (it said so at boot); -ERANGE: the IOMMU has no such stream.
 */
int iommu_streams_of_node(const void *fdt, int node, unsigned index,
                          struct iommu_streams *out) __must_check;
/*
 * PCI requester IDs [rid, rid + count) below a host bridge by its `iommu-map`: as many of them as
 * one entry translates, out->count is at least 1. Errors as above; -ENOENT: rid is not translated.
 * With an `iommu-map-mask` always one.
 */
int iommu_streams_of_rid(const void *fdt, int bridge, uint32_t rid, uint32_t count,
                         struct iommu_streams *out) __must_check;

/* ---- domains ---- */
enum iommu_mode {
    IOMMU_MODE_DEFAULT, /* what the command line says: iommu=mirror (default) or iommu=shared */
    IOMMU_MODE_MIRROR,
    IOMMU_MODE_SHARED, /* becomes mirror, with a line, where IOMMU and CPU cannot share a table */
};
/* What a DMA fault of a device does. Each is counted and logged (rate-limited). */
enum iommu_fault_policy { IOMMU_FAULT_LOG, IOMMU_FAULT_CRASH };

/*
 * 0, -ENOMEM, -ENODEV (no IOMMU can serve), -ENOSPC (255 such domains exist), -ERANGE: something is
 * mapped beyond what the IOMMUs can address. An error changes nothing.
 */
int iommu_domain_create(struct p2m *p2m, enum iommu_mode mode,
                        struct iommu_domain **out) __must_check;
/* NULL is fine. What could not be made safe is leaked, with a line. */
void iommu_domain_destroy(struct iommu_domain *dom);

/* 0; -EBUSY: a stream belongs to somebody; -ENOMEM; -EIO: the IOMMU did not obey, the streams are
 * blocked or dead. */
int iommu_attach(struct iommu_domain *dom, const struct iommu_streams *streams,
                 enum iommu_fault_policy policy) __must_check;

/* How a domain is crashed when its DMA could not be stopped, or by policy. Any lock may be held. */
void iommu_set_crash_hook(void (*crash)(struct domain_pages *owner, const char *why));

/* Prints IOMMUs, streams with owner and faults, mapped pages and commands: a console key. */
void iommu_show(void);

/* ---- for drivers ---- */
/* A stage-2 table as an IOMMU is told of it. */
struct iommu_table {
    paddr_t root;
    uint16_t vmid; /* of the IOMMUs' own numbers, at most 255 */
    uint8_t start_level, ipa_bits;
    bool fwb; /* its attributes are for forced write-back */
};

struct iommu_ops {
    /* The streams translate by the table; they were blocked. 0, -ENOMEM (still blocked), -EIO. */
    int (*translate)(struct iommu *iommu, uint32_t first, uint32_t count,
                     const struct iommu_table *table);
    /* Returns 0 when the streams can reach nothing and nothing they began is under way, else -EIO.
     */
    int (*block)(struct iommu *iommu, uint32_t first, uint32_t count);
    /* Returns 0 when no old translation of [ipa, ipa + size) under that VMID is in use (size 0: of
     * the whole VMID), else -EIO. */
    int (*flush)(struct iommu *iommu, uint16_t vmid, uint64_t ipa, uint64_t size);
    void (*show)(struct iommu *iommu);
};

struct iommu {
    const struct iommu_ops *ops;
    const char *name;    /* for messages */
    uint32_t phandle;    /* in the host tree; 0: nothing refers to it */
    uint32_t stream_end; /* first stream number that it does not have */
    uint8_t oas_bits;    /* output addresses */
    bool stage2;         /* it can serve at all */
    bool coherent;       /* it sees the CPU's caches */
    bool live_split;     /* a block may become a table of the same while in use (BBML 2) */
    bool fwb;            /* understands forced write-back attributes */
    unsigned index;      /* set by iommu_register() */
};

#define IOMMU_MAX 64u
unsigned iommu_count(void);
/* -ENOSPC past IOMMU_MAX. Boot CPU. */
int iommu_register(struct iommu *iommu) __must_check;
/*
 * The driver saw a fault of a stream: applies the device's policy. True when a line about it may be
 * printed; *domid is its owner (DOMID_NONE: nobody's). Interrupt context, no lock held.
 */
#define IOMMU_NOBODY 0xffffu
bool iommu_fault(struct iommu *iommu, uint32_t stream, uint16_t *domid) __must_check;

#endif
