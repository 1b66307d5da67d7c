/* Floor 7: what the hypercall layer keeps for one domain. */
#ifndef ABI_ABI_H
#define ABI_ABI_H

#include <hv/spinlock.h>
#include <hv/types.h>

struct domain;
struct page_info;

#define GRANT_FRAMES_MAX 64u /* as Xen's default */
#define GRANT_STATUS_MAX                                                                           \
    (GRANT_FRAMES_MAX * 4096 / 16 * 2 / 4096) /* two bytes a grant of 16 bytes */

/* Guarded by lock (RANK_GRANT): the frames are xenheap pages shared with the domain. */
struct grant_frames {
    spinlock_t lock;
    uint32_t version;
    uint32_t nr_frames, max_frames;
    uint32_t nr_status;
    void *frame[GRANT_FRAMES_MAX];
    void *status[GRANT_STATUS_MAX];
};

struct domain_abi {
    void *shared_info; /* one xenheap page */
    struct grant_frames grant;
};

int grant_frames_init(struct domain *d);
void grant_frames_destroy(struct domain *d);
/*
 * The page behind (space grant_table, idx), growing the table when a guest maps a frame it has not
 * yet; with a reference that put_page() drops. -EINVAL past the maximum, -ENOMEM.
 */
int grant_frame_get(struct domain *d, uint64_t idx, struct page_info **page) __must_check;

#endif
