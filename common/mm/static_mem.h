/* Between the files that take and release a domain's pages and its reserve of static frames. */
#ifndef MM_STATIC_MEM_H
#define MM_STATIC_MEM_H

#include <hv/page.h>

/*
 * Up to 2^*order frames from the reserve, for g (a direct-mapped domain gets frame g or nothing);
 * *order says how many there are. NULL: none. Contents as they were left. The frames are on no list
 * and nobody's: domain_assign_pages() or static_reserve() comes next.
 */
struct page_info *static_take(struct domain_pages *owner, gfn_t g, unsigned *order);
/*
 * Frames with PGC_static that nobody refers to, and that are on no list, go to the reserve; of a
 * dying owner they are nobody's. _locked: with owner->lock.
 */
void static_reserve(struct domain_pages *owner, struct page_info *page, uint64_t nr);
void static_reserve_locked(struct domain_pages *owner, struct page_info *page, uint64_t nr);
/* What waits in a dying owner's reserve is nobody's. At most `max` frames; true when none is left.
 */
bool static_forget_locked(struct domain_pages *owner, unsigned max);

#endif
