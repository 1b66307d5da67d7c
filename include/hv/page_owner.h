/*
 * Floor 3: what page_alloc keeps for each owner of pages. Embedded first in struct domain.
 *
 * A page is on `pages` or `xenheap` from its assignment to its last reference. What the domain has
 * of static memory and does not use is in `reserve`.
 */
#ifndef HV_PAGE_OWNER_H
#define HV_PAGE_OWNER_H

#include <hv/page_list.h>
#include <hv/spinlock.h>
#include <hv/types.h>

struct domain_pages {
    spinlock_t lock;          /* RANK_PAGE_ALLOC: the fields below */
    struct page_list pages;   /* ordinary RAM */
    struct page_list xenheap; /* hypervisor pages lent to the domain */
    struct page_list reserve; /* static frames that are not the domain's RAM at the moment */
    uint64_t reserve_pages;
    uint64_t tot_pages, max_pages, xenheap_pages;
    uint64_t parked; /* pages others still hold while the owner goes; last in `pages` */
    bool dying;      /* no further assignment */
    bool has_static; /* RAM comes from the reserve; set before it has any, like the next */
    bool direct_map; /* and frame g only at address g */
    /* Told, without the lock, when the last page is gone that outlived its owner; may free it. */
    void (*emptied)(struct domain_pages *p);
    uint16_t domid; /* for messages */
};

void domain_pages_init(struct domain_pages *p, uint16_t domid, uint64_t max_pages);
/*
 * The owner is gone but for what others still hold of it: `emptied` is called when that is gone
 * too. False: nothing is held, and it is not called.
 */
bool domain_pages_orphan(struct domain_pages *p, void (*emptied)(struct domain_pages *p));

#endif
