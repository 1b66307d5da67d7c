/*
 * Floor 2: locks with ranks.
 *
 * EL2 always runs with interrupts masked, so a lock needs no interrupt-safe variant. A lock may be
 * taken only while every held lock of this CPU has a *lower* rank; a debug build checks this at
 * each acquisition and panics with both names. Two locks of one rank are taken only through a
 * helper that orders them by address (spin_lock_pair()).
 */
#ifndef HV_SPINLOCK_H
#define HV_SPINLOCK_H

#include <hv/compiler.h>
#include <hv/types.h>

#include <asm/atomic.h>
#include <asm/barrier.h>

/* Ascending: what stands lower here is taken later. docs/memory.md invariant 14 fixes the middle
 * part. */
enum lock_rank {
    RANK_NONE = 0,
    RANK_EVTCHN_BIND, /* between domains: found with it held */
    RANK_DOMAINS,     /* the list of domains */
    RANK_DOMAIN,      /* a domain's lifecycle */
    RANK_PASSTHROUGH, /* who has which device */
    RANK_VPCI,        /* a domain's emulated PCI bridge */
    RANK_GRANT,
    RANK_EVTCHN,       /* a domain's table of ports */
    RANK_EVTCHN_PORT,  /* one port */
    RANK_EVTCHN_QUEUE, /* a vCPU's queues of FIFO events */
    RANK_MAPTRACK,     /* a domain's handles of grants it has mapped */
    RANK_P2M,
    RANK_P2M_POOL,
    RANK_IOMMU_EVENTS, /* an IOMMU's fault records */
    RANK_IOMMU,        /* which stream belongs to whom */
    RANK_IOMMU_QUEUE,  /* an IOMMU's command queue */
    RANK_PAGE_ALLOC,   /* a domain's page list and counts */
    RANK_SLAB,         /* small objects; may take RANK_HEAP for a page */
    RANK_HEAP,
    RANK_HYP_MAP,
    RANK_VPL011,
    RANK_VGIC_DIST, /* a domain's shared interrupts */
    RANK_VGIC,      /* a vCPU's own interrupts and list registers */
    RANK_SCHED,
    RANK_TIMER,
    RANK_IRQ,
    RANK_GIC,
    RANK_LOG,     /* anything may print; the log is written to the console */
    RANK_CONSOLE, /* code that holds it must not print */
    RANK_LEAF,
};

/* Ticket lock: fair, so that one CPU cannot starve another. */
typedef struct {
    union {
        uint32_t word;
        struct {
            uint16_t owner, next;
        };
    };
#if HF_DEBUG
    uint16_t rank;
    uint16_t cpu_plus1; /* holder + 1, 0 when free */
    const char *name;
#endif
} spinlock_t;

/* Writer-preferring reader/writer lock: bit 31 = writer, bits 30..0 = readers. */
typedef struct {
    uint32_t word;
    uint32_t writers_waiting;
#if HF_DEBUG
    uint16_t rank;
    uint16_t cpu_plus1; /* writer + 1 */
    const char *name;
#endif
} rwlock_t;

#if HF_DEBUG
#define SPINLOCK_INIT(r, n)                                                                        \
    { .rank = (r), .name = (n) }
#define RWLOCK_INIT(r, n)                                                                          \
    { .rank = (r), .name = (n) }
#else
#define SPINLOCK_INIT(r, n)                                                                        \
    { .word = 0 }
#define RWLOCK_INIT(r, n)                                                                          \
    { .word = 0 }
#endif

/*
 * The locks themselves; a release build has nothing more, so they are inline. Drawing a ticket and
 * waiting until it is called; a writer that waits keeps new readers out, so readers cannot starve
 * it.
 */
#define TICKET_NEXT (1u << 16) /* one ticket, in spinlock_t.word */
#define RW_WRITER (1u << 31)

static inline void ticket_lock(spinlock_t *l) {
    uint32_t before = atomic_add32(&l->word, TICKET_NEXT);
    uint16_t mine = (uint16_t)(before >> 16), owner = (uint16_t)before;

    for (; unlikely(owner != mine); owner = load_acquire(&l->owner))
        cpu_wait_while16(&l->owner, owner);
}
static inline void ticket_unlock(spinlock_t *l) {
    store_release(&l->owner, (uint16_t)(l->owner + 1));
}
void rw_wait_read(rwlock_t *l);  /* until no writer has or wants it */
void rw_wait_write(rwlock_t *l); /* for a writer, until it has it */
static inline bool rw_trylock_read(rwlock_t *l) {
    uint32_t word = atomic_add32(&l->word, 1);

    if (likely(!(word & RW_WRITER)) && likely(!load_relaxed(&l->writers_waiting)))
        return true;
    atomic_sub32(&l->word, 1);
    return false;
}
static inline void rw_lock_read(rwlock_t *l) {
    while (unlikely(!rw_trylock_read(l)))
        rw_wait_read(l);
}
static inline void rw_unlock_read(rwlock_t *l) {
    atomic_sub32(&l->word, 1);
}
static inline void rw_lock_write(rwlock_t *l) {
    if (unlikely(cmpxchg32(&l->word, 0, RW_WRITER) != 0))
        rw_wait_write(l);
}
static inline void rw_unlock_write(rwlock_t *l) {
    atomic_sub32(&l->word, RW_WRITER); /* readers that try are counted */
}

void spin_lock_init(spinlock_t *l, enum lock_rank rank, const char *name);
bool spin_trylock(spinlock_t *l) __must_check;
/* Debug builds: held by this CPU. Release builds: true when anybody holds it. For asserts only. */
bool spin_is_held(const spinlock_t *l);
/* Two locks of one rank, in ascending address order; a == b takes it once. */
void spin_lock_pair(spinlock_t *a, spinlock_t *b);
void spin_unlock_pair(spinlock_t *a, spinlock_t *b);

void rwlock_init(rwlock_t *l, enum lock_rank rank, const char *name);
bool rw_is_write_held(const rwlock_t *l); /* for asserts, as spin_is_held() */
bool rw_is_held(const rwlock_t *l);

/* How many locks this CPU holds: 0 wherever a stack is switched. Release builds: 0; for asserts. */
#if HF_DEBUG
void spin_lock(spinlock_t *l);
void spin_unlock(spinlock_t *l);
void read_lock(rwlock_t *l);
bool read_trylock(rwlock_t *l)
    __must_check; /* for fast paths that call nothing; ranks as read_lock() */
void read_unlock(rwlock_t *l);
void write_lock(rwlock_t *l);
void write_unlock(rwlock_t *l);
unsigned locks_held(void);
#else
static inline void spin_lock(spinlock_t *l) {
    ticket_lock(l);
}
static inline void spin_unlock(spinlock_t *l) {
    ticket_unlock(l);
}
static inline void read_lock(rwlock_t *l) {
    rw_lock_read(l);
}
static inline __must_check bool read_trylock(rwlock_t *l) {
    return rw_trylock_read(l);
}
static inline void read_unlock(rwlock_t *l) {
    rw_unlock_read(l);
}
static inline void write_lock(rwlock_t *l) {
    rw_lock_write(l);
}
static inline void write_unlock(rwlock_t *l) {
    rw_unlock_write(l);
}
static inline unsigned locks_held(void) {
    return 0;
}
#endif

#endif
