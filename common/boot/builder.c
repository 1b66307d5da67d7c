/* Builds one domain: its shell, its memory, what it boots from; then starts it. */
#include <hv/bits.h>
#include <hv/domain.h>
#include <hv/errno.h>
#include <hv/guest_devices.h>
#include <hv/guest_fdt.h>
#include <hv/guest_layout.h>
#include <hv/guest_map.h>
#include <hv/guest_sched.h>
#include <hv/guests.h>
#include <hv/hypercall.h>
#include <hv/image.h>
#include <hv/mapwin.h>
#include <hv/p2m.h>
#include <hv/page.h>
#include <hv/printk.h>
#include <hv/restart.h>
#include <hv/static_shm.h>
#include <hv/vpl011.h>

#include <asm/cache.h>
#include <asm/features.h>

/* A guest's memory from `base` on as a destination for loading. */
struct target {
    struct domain *d;
    uint64_t base;
};

static void *target_window(void *arg, uint64_t offset, uint64_t *n) {
    const struct target *t = arg;
    uint64_t at = t->base + offset, in_block;
    enum p2m_type type;
    unsigned order;
    paddr_t pa;
    mfn_t m = p2m_lookup(&t->d->p2m, ipaddr_to_gfn(ipaddr(at)), &type, &order);

    if (mfn_eq(m, INVALID_MFN) || type != P2M_RAM_RW)
        return NULL;
    in_block = at & ((PAGE_SIZE << order) - 1);
    *n = MIN(*n, ((uint64_t)PAGE_SIZE << order) - in_block);
    pa = paddr_add(mfn_to_paddr(m), at & (PAGE_SIZE - 1));
    *n = mapwin_reach(pa, *n);
    return mapwin_map(pa);
}

/* A guest starts with its caches off, so what it is to see must have left ours. */
static void target_written(void *arg, void *p, uint64_t n) {
    (void)arg;
    dcache_clean_poc(p, n);
    mapwin_unmap(p);
    preempt_point();
}

/* ---- what the domain boots from ---- */

static int load_kernel(struct domain *d, const struct guest_config *cfg,
                       const struct kernel_image *img, const struct guest_layout *l) {
    struct target t = {.d = d, .base = l->kernel.start};
    struct image_dest dest = {target_window, target_written, &t};
    const char *why = image_load(img, &dest);

    return why ? guest_error(cfg, cfg->kernel_node, NULL, "%s", why) : 0;
}

static int load_initrd(struct domain *d, const struct guest_config *cfg,
                       const struct guest_layout *l) {
    struct target t = {.d = d, .base = l->initrd.start};
    struct image_dest dest = {target_window, target_written, &t};
    const void *data;
    bool ok;

    if (!cfg->ramdisk.size)
        return 0;
    data = ram_map(paddr(cfg->ramdisk.start), cfg->ramdisk.size);
    if (!data)
        return guest_error(cfg, cfg->ramdisk_node, NULL, "no memory to map it");
    ok = image_copy(data, cfg->ramdisk.size, 0, &dest);
    ram_unmap(data, cfg->ramdisk.size);
    return ok ? 0 : guest_error(cfg, cfg->ramdisk_node, NULL, "no guest memory where it is to go");
}

static struct guest_fdt_pci pci_bridge_of(const struct domain *d) {
    struct guest_fdt_pci pci = {.count = 0};

    while (vpci_slot(d, pci.count, &pci.slot[pci.count].intid, &pci.slot[pci.count].trigger))
        if (++pci.count == VPCI_SLOTS)
            break;
    return pci;
}

static int load_fdt(struct domain *d, const struct guest_config *cfg, const struct guest_layout *l,
                    const struct guest_devices *dev) {
    struct guest_fdt_pci pci = pci_bridge_of(d);
    struct guest_shm shm[SHM_PER_GUEST_MAX];
    struct guest_fdt_info info = {.layout = l,
                                  .shm = shm,
                                  .nr_shm = static_shm_of(cfg, shm),
                                  .vcpus = cfg->vcpus,
                                  .aarch32 = d->aarch32,
                                  .gic_version = vgic_hw->version,
                                  .vpl011 = cfg->vpl011,
                                  .vpl011_intid = dev->console_intid,
                                  .pci = &pci,
                                  .devices = dev->tree,
                                  .hypervisor = cfg->enhanced,
                                  .ipa_limit = p2m_gfn_limit(&d->p2m) << PAGE_SHIFT,
                                  .bootargs = cfg->bootargs};
    struct target t = {.d = d, .base = l->fdt};
    struct image_dest dest = {target_window, target_written, &t};
    void *buf = hv_zalloc(GUEST_FDT_MAX);
    int size = buf ? guest_fdt_make(&info, buf, GUEST_FDT_MAX) : -ENOMEM;
    bool ok = size > 0 && image_copy(buf, (uint64_t)size, 0, &dest);

    hv_free(buf);
    return ok ? 0 : guest_error(cfg, cfg->node, NULL, "no memory for its device tree");
}

static void set_entry(struct domain *d, const struct guest_layout *l) {
    struct vcpu *v = d->vcpus[0];

    if (d->aarch32) {
        /* Linux's Documentation/arch/arm/booting: r0 = 0, r1 = machine (none: all ones), r2 = tree.
         */
        vcpu_set_entry(v, l->kernel.start, 0, true);
        vcpu_set_reg(v, 1, 0xffffffff);
        vcpu_set_reg(v, 2, l->fdt);
    } else {
        vcpu_set_entry(v, l->kernel.start, l->fdt, false);
    }
}

/* ---- the build ---- */

static int probe(const struct guest_config *cfg, const void *kernel, struct kernel_image *img) {
    const char *why = image_probe(kernel, cfg->kernel.size, img);

    if (!why && img->kind == IMAGE_ZIMAGE && !cpu_features.aarch32_el1)
        why = "expected a 64-bit kernel, this machine has no 32-bit EL1";
    if (!why && img->kind != IMAGE_ZIMAGE && !cpu_features.aarch64_el1)
        why = "expected a 32-bit kernel (zImage), this machine has no 64-bit EL1";
    return why ? guest_error(cfg, cfg->kernel_node, NULL, "%s", why) : 0;
}

static int plan(const struct guest_config *cfg, const struct kernel_image *img,
                struct guest_layout *l) {
    uint64_t need;
    bool fits = cfg->direct_map
                    ? guest_layout_plan_direct(cfg->static_mem, cfg->nr_static, img,
                                               cfg->ramdisk.size, l, &need)
                    : guest_layout_plan(cfg->mem_bytes, img, cfg->ramdisk.size, l, &need);

    if (fits && img->kind == IMAGE_ZIMAGE && l->fdt + GUEST_FDT_MAX > GB(4))
        return guest_error(cfg, cfg->node, "direct-map",
                           "expected a first range below 4 GiB for a 32-bit kernel");
    if (fits)
        return 0;
    return guest_error(cfg, cfg->node, "memory",
                       "expected at least %llu KiB for kernel, ramdisk and device tree, got %llu",
                       (unsigned long long)need >> 10, (unsigned long long)cfg->mem_bytes >> 10);
}

/* The memory that the tree names; -EINVAL after a line. */
static int add_static(struct domain *d, const struct guest_config *cfg) {
    mfn_t bad;
    int rc = 0;

    d->pages.direct_map = cfg->direct_map;
    for (unsigned i = 0; !rc && i < cfg->nr_static; i++)
        rc = domain_add_static(&d->pages, paddr_to_mfn(paddr(cfg->static_mem[i].start)),
                               cfg->static_mem[i].size >> PAGE_SHIFT, &bad);
    if (!rc)
        return 0;
    return guest_error(cfg, cfg->node, "xen,static-mem", "expected memory of its own, 0x%llx is %s",
                       (unsigned long long)mfn_to_paddr(bad).pa,
                       rc == -EBUSY ? "still in use" : "out of reach");
}

/* The shell with all its memory; NULL after a line when it cannot be had. */
static struct domain *create(const struct guest_config *cfg, const struct guest_layout *l,
                             const struct guest_devices *dev) {
    uint64_t pages = cfg->mem_bytes >> PAGE_SHIFT;
    uint32_t pool = cfg->p2m_bytes ? (uint32_t)(cfg->p2m_bytes >> PAGE_SHIFT)
                                   : p2m_pool_size_for(cfg->mem_bytes, cfg->vcpus) +
                                         dev->p2m_pages + static_shm_p2m_pages(cfg);
    struct domain *d = NULL;
    int rc = -ENOMEM;

    if ((cfg->nr_static ? 0 : pages) + pool <= heap_free_pages())
        d = domain_create(cfg->name, cfg->domid, cfg->vcpus, MAX(cfg->nr_spis, dev->nr_spis), pool,
                          pages, &rc);
    if (d) {
        d->config = cfg;
        d->max_grant_version = cfg->max_grant_version;
        d->max_grant_frames = cfg->max_grant_frames;
        d->max_maptrack_frames = cfg->max_maptrack_frames;
        d->privileged = cfg->privileged;
        d->max_evtchn_port = cfg->max_evtchn_port;
        if (add_static(d, cfg)) {
            domain_destroy(d);
            return NULL;
        }
        for (unsigned i = 0; !rc && i < GUEST_BANKS; i++)
            rc = p2m_populate(&d->p2m, ipaddr_to_gfn(ipaddr(l->bank[i].start)),
                              l->bank[i].size >> PAGE_SHIFT);
        if (!rc)
            return d;
        domain_destroy(d);
    }
    if (rc == -ENOMEM)
        guest_error(cfg, cfg->node, "memory", "expected at most what is free, %llu KiB, got %llu",
                    (unsigned long long)heap_free_pages() << (PAGE_SHIFT - 10),
                    (unsigned long long)cfg->mem_bytes >> 10);
    else if (rc == -EINVAL)
        guest_error(cfg, cfg->node, "memory",
                    "expected what this machine's stage 2 can address, got %llu KiB",
                    (unsigned long long)cfg->mem_bytes >> 10);
    else
        guest_error(cfg, cfg->node, NULL, "cannot be created, error %d", rc);
    return NULL;
}

static int fill(struct domain *d, const struct guest_config *cfg, const struct kernel_image *img,
                const struct guest_layout *l, const struct guest_devices *dev) {
    int rc = guest_sched_apply(cfg, d);

    if (!rc)
        rc = static_evtchns_make(d, cfg);

    if (!rc)
        rc = static_shm_map(d, cfg);
    if (!rc)
        rc = load_kernel(d, cfg, img, l);
    if (!rc)
        rc = load_initrd(d, cfg, l);
    if (!rc && cfg->vpl011 && vpl011_init(d, dev->console_intid))
        rc = guest_error(cfg, cfg->node, "vpl011", "no memory for it");
    if (!rc && cfg->pv_console && abi_pv_console_init(d))
        rc = guest_error(cfg, cfg->node, "holdfast,pv-console", "no memory for it");
    if (!rc && !cfg->vpl011 && !cfg->pv_console)
        abi_console_keys(d);
    if (!rc)
        rc = guest_devices_give(cfg, dev, d);
    if (!rc)
        rc = load_fdt(d, cfg, l, dev);
    /* Pages may have held other code before. */
    icache_inval_all();
    return rc;
}

static const char *size_text(uint64_t bytes, char buf[16]) {
    bool mib = bytes >= MB(1);

    hv_snprintf(buf, 16, "%llu %s",
                (unsigned long long)(mib ? bytes >> 20 : DIV_ROUND_UP(bytes, 1024)),
                mib ? "MiB" : "KiB");
    return buf;
}

static void report(const struct guest_config *cfg, const struct kernel_image *img,
                   const struct guest_layout *l) {
    static const char *const consoles[] = {"", ", console vpl011", ", console ring",
                                           ", consoles vpl011 and ring"};
    char mem[16], kernel[16], initrd[16], tail[64] = "", where[48] = "";

    if (cfg->ramdisk.size)
        hv_snprintf(tail, sizeof(tail), ", initrd %s at 0x%llx",
                    size_text(cfg->ramdisk.size, initrd), (unsigned long long)l->initrd.start);
    if (cfg->nr_static)
        hv_snprintf(where, sizeof(where), " %s at 0x%llx",
                    cfg->direct_map ? "directly mapped" : "static",
                    (unsigned long long)cfg->static_mem[0].start);
    printk("d%u: %s: started, %u vCPU%s, %s%s, kernel %s %s at 0x%llx%s%s\n", cfg->domid, cfg->name,
           cfg->vcpus, cfg->vcpus == 1 ? "" : "s", size_text(cfg->mem_bytes, mem), where,
           image_kind_name(img), size_text(img->file_size, kernel),
           (unsigned long long)l->kernel.start, tail, consoles[cfg->vpl011 + 2 * cfg->pv_console]);
}

static int build(const struct guest_config *cfg, const void *kernel) {
    struct kernel_image img;
    struct guest_devices devices = {.tree = NULL};
    struct guest_layout layout;
    struct domain *d = NULL;
    int rc;

    if (cfg->vcpus > vgic_max_vcpus())
        return guest_error(cfg, cfg->node, "cpus", "expected at most %u with a GICv%u, got %u",
                           vgic_max_vcpus(), vgic_hw->version, cfg->vcpus);
    rc = probe(cfg, kernel, &img);

    if (!rc)
        rc = plan(cfg, &img, &layout);
    if (!rc)
        rc = static_shm_check(cfg, &layout);
    if (!rc)
        rc = guest_devices_read(cfg, &devices);
    if (!rc)
        d = create(cfg, &layout, &devices);
    if (d) {
        d->aarch32 = img.kind == IMAGE_ZIMAGE;
        rc = fill(d, cfg, &img, &layout, &devices);
    }
    guest_devices_done(cfg, &devices);
    if (!d)
        return rc ? rc : -ENOMEM;
    if (rc) {
        domain_destroy(d);
        return rc;
    }
    set_entry(d, &layout);
    report(cfg, &img, &layout);
    restart_domain_alive();
    domain_start(d);
    return 0;
}

int guest_build(const struct guest_config *cfg) {
    const void *kernel = ram_map(paddr(cfg->kernel.start), cfg->kernel.size);
    int rc;

    if (!kernel)
        return guest_error(cfg, cfg->kernel_node, NULL, "no memory to map it");
    rc = build(cfg, kernel);
    ram_unmap(kernel, cfg->kernel.size);
    return rc;
}
