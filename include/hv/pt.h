/*
 * Floor 3: one engine for translation tables of both stages.
 *
 * Every change is prepared, then committed: pt_tables_needed() says how many table pages a request
 * can consume, the caller makes sure that `take` can give them, and the commit cannot fail. Removal
 * has two phases, so that a frame is let go only after no TLB can name it:
 *
 *   pt_park()  takes entries out of the walk; they stay in memory, invalid
 *              (now the caller flushes the TLB)
 *   pt_reap()  shows each parked leaf to the caller and forgets it; unlinked tables go back
 *
 * The engine takes no lock; the owner of the table serialises writers against everybody.
 */
#ifndef HV_PT_H
#define HV_PT_H

#include <hv/page_list.h>
#include <hv/types.h>

#include <asm/pte.h>

struct pt;

struct pt_ops {
    /* A zeroed table page; must succeed as often as pt_tables_needed() said. */
    pte_t *(*take)(struct pt *pt);
    /* A zeroed table page that nothing refers to any more. Only with `counted`. */
    void (*give)(struct pt *pt, pte_t *table);
    /* Nobody uses the entry for va, of this size, any more: between break and make of a split.
     * NULL: all walkers take a block's change into a table as it is (level 2 of break-before-make).
     */
    void (*flush)(struct pt *pt, uint64_t va, uint64_t size);
    /* Entries were written, and a walker that sees no cache must see them before any that lead to
     * them. NULL: there is no such walker. Single-page functions do without. */
    void (*written)(struct pt *pt, const void *at, size_t size);
};

struct pt {
    paddr_t root; /* of level start_level: one table page, or several one behind the other */
    uint8_t start_level;
    uint8_t addr_bits;
    /*
     * Tables count their entries in page_info.u.used, and leave the tree with the last one. Without
     * it (the hypervisor's own tables, partly older than the frame table) tables stay for ever.
     */
    bool counted;
    uint8_t leaf_level; /* leaves are of this level or below; 0: wherever blocks may be */
    const struct pt_ops *ops;
};

/* ---- what to do with one entry: pure ---- */
enum pt_have { PT_HOLE, PT_LEAF, PT_TABLE };
enum pt_want { PT_MAP, PT_UNMAP };
enum pt_action {
    PT_SKIP,      /* nothing to do */
    PT_WRITE,     /* hole -> leaf */
    PT_ADD_TABLE, /* hole -> table, then the part inside it */
    PT_DESCEND,   /* the part inside the table that is there */
    PT_CLEAR,     /* leaf -> parked */
    PT_UNLINK,    /* table -> hole, with all that is below */
    PT_SPLIT,     /* leaf -> table of smaller leaves, then the part inside it */
    PT_REFUSE,    /* something is mapped where nothing may be */
};
/*
 * whole: the request covers all that the entry spans. leaf_ok: level and alignment allow a leaf
 * here. keep_tables: tables are not unlinked.
 */
enum pt_action pt_choose_action(enum pt_have have, enum pt_want want, bool whole, bool leaf_ok,
                                bool keep_tables);

/* ---- reading ---- */
/* The entry that decides about va and its level; the entry is not valid for a hole. */
pte_t pt_lookup(const struct pt *pt, uint64_t va, unsigned *level);
/*
 * Shows every leaf and hole of [va, va+size) in ascending order, clipped to the range: e is 0 for a
 * hole, else the whole entry, whose own span may be larger. Stops at the first non-zero return, and
 * returns it.
 */
typedef int (*pt_visit_fn)(void *arg, uint64_t va, uint64_t size, pte_t e, unsigned level);
int pt_walk(const struct pt *pt, uint64_t va, uint64_t size, pt_visit_fn fn, void *arg);
/* First mapped address at or above va; false when there is none. */
bool pt_next_mapped(const struct pt *pt, uint64_t va, uint64_t *found);

/* ---- changing ---- */
struct pt_request {
    enum pt_want want;
    uint64_t va, size; /* multiples of PAGE_SIZE */
    uint64_t pa;       /* PT_MAP */
    pte_t attr;        /* PT_MAP: everything of a leaf but address, valid and type bits */
};

/* Table pages the request can consume; -EEXIST for PT_MAP over something; -EINVAL beyond addr_bits.
 */
int64_t pt_tables_needed(const struct pt *pt, const struct pt_request *rq) __must_check;
/* Writes the leaves, the largest that alignment allows. Everything there is a hole
 * (pt_tables_needed() said so). */
void pt_map(struct pt *pt, const struct pt_request *rq);

/* What pt_park() took out, and pt_reap() still has to look at. */
struct pt_parked {
    struct page_list tables; /* unlinked, with all their entries */
    uint64_t leaves;         /* taken out of live tables */
    uint64_t first_leaf;     /* address of the first of them */
    bool any;                /* something was valid: a flush is due */
};
void pt_park(struct pt *pt, const struct pt_request *rq, struct pt_parked *out);
/* fn sees each former leaf: its own address, its size, the entry (valid bit may be clear) and
 * level. */
typedef void (*pt_reap_fn)(void *arg, uint64_t va, uint64_t size, pte_t e, unsigned level);
void pt_reap(struct pt *pt, const struct pt_request *rq, struct pt_parked *parked, pt_reap_fn fn,
             void *arg);

/*
 * ---- single pages, for owners of counted tables who change them often; va is below the limit ----
 * The last-level entry itself is the caller's to announce where `written` is needed, tables are
 * not.
 */
struct pt_gap {
    unsigned missing; /* tables to be added for a last-level entry */
    bool blocked;     /* a larger leaf covers the page and would have to be split */
};
/* The last-level entry of the page; NULL and *gap when there is no table for it. */
pte_t *pt_find_slot(const struct pt *pt, uint64_t va, struct pt_gap *gap);
/* Adds the missing tables (`take` has them) and returns the entry, which must be filled at once. */
pte_t *pt_add_slot(struct pt *pt, uint64_t va);
/* A leaf into an invalid entry. */
void pt_fill_slot(struct pt *pt, pte_t *entry, pte_t value);
/* Empties a valid entry. Tables that became empty with it are unlinked and put on the list, to be
 * given after a flush. */
void pt_empty_slot(struct pt *pt, uint64_t va, pte_t *entry, struct page_list *unlinked);

/* Number of table pages of the tree, the root included; for audits. */
uint64_t pt_count_tables(const struct pt *pt);
/* Tables whose count of entries is wrong, or that are empty; for audits. */
uint64_t pt_count_bad_tables(const struct pt *pt);

#endif
