/*
 * Floor 8: static shared memory (Xen's binding xen,domain-shared-memory-v1): regions that several
 * domains see from their start on. The pages are the hypervisor's and outlive every domain, so a
 * domain that starts anew finds its region as it is.
 */
#ifndef HV_STATIC_SHM_H
#define HV_STATIC_SHM_H

#include <hv/guest_config.h>
#include <hv/guest_layout.h>
#include <hv/page_owner.h>

#define SHM_COMPATIBLE "xen,domain-shared-memory-v1"
#define SHM_ID_MAX 16u /* with its NUL, as Xen's */
#define SHM_PER_GUEST_MAX 4u
#define SHM_REGIONS_MAX 16u
#define SHM_ANYWHERE ~0ULL

struct shm_region {
    char id[SHM_ID_MAX];
    uint64_t host; /* where in the machine's memory; SHM_ANYWHERE: from the heap */
    uint64_t size;
    bool has_owner;            /* a domain has the role; it makes no other difference */
    struct domain_pages pages; /* once filled: in the order of the region */
    bool filled;
};

/* One domain's view of a region. */
struct guest_shm {
    struct shm_region *region;
    uint64_t guest; /* where it sees it */
};

/* Reads and checks the regions of a domain's node, and reserves those that are new. 0, or -EINVAL
 * after one line. Boot CPU, while boot memory can be reserved. */
int static_shm_claim(const struct guest_config *cfg) __must_check;
/* The regions of a domain whose claim went well; how many. */
unsigned static_shm_of(const struct guest_config *cfg, struct guest_shm out[SHM_PER_GUEST_MAX]);
/* The n-th region of the machine; NULL past the last. */
struct shm_region *static_shm_region(unsigned n);

struct domain;
/* Gives every region its pages, all zero; a region that cannot have them costs a line, and its
 * domains. Once, in a thread, before the first domain is built. */
void static_shm_fill(void);
/* Whether a domain's regions are clear of its RAM and devices. 0, or -EINVAL after one line. */
int static_shm_check(const struct guest_config *cfg, const struct guest_layout *l) __must_check;
/* Table pages that mapping them can take. */
uint32_t static_shm_p2m_pages(const struct guest_config *cfg);
/* Maps them. 0, or -EINVAL after one line. */
int static_shm_map(struct domain *d, const struct guest_config *cfg) __must_check;

#endif
