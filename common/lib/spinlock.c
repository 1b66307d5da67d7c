/* Ticket locks and reader/writer locks; in a debug build each acquisition checks the order of
 * ranks. */
#include <hv/percpu.h>
#include <hv/printk.h>
#include <hv/spinlock.h>

#include <asm/atomic.h>
#include <asm/barrier.h>

#if HF_DEBUG

/* What this CPU holds. Locks are not held across a stack switch, so this belongs to the CPU. */
#define HELD_MAX 12
struct held {
    const void *lock[HELD_MAX];
    const char *name[HELD_MAX];
    uint16_t rank[HELD_MAX];
    unsigned n;
};
static DEFINE_PER_CPU(struct held, held);

static void check_rank(const void *lock, unsigned rank, const char *name, bool pair) {
    const struct held *h = &this_cpu(held);

    for (unsigned i = 0; i < h->n; i++) {
        if (h->lock[i] == lock)
            panic("lock %s is taken twice", name);
        if (h->rank[i] > rank || (h->rank[i] == rank && !pair))
            panic("lock %s (rank %u) is taken while %s (rank %u) is held", name, rank, h->name[i],
                  h->rank[i]);
    }
}

static void note_held(const void *lock, unsigned rank, const char *name) {
    struct held *h = &this_cpu(held);

    if (h->n == HELD_MAX)
        panic("lock %s: %u locks are held already", name, h->n);
    h->lock[h->n] = lock;
    h->rank[h->n] = (uint16_t)rank;
    h->name[h->n] = name;
    h->n++;
}

static bool holds(const void *lock) {
    const struct held *h = &this_cpu(held);

    for (unsigned i = 0; i < h->n; i++)
        if (h->lock[i] == lock)
            return true;
    return false;
}

/* Usually the last one taken; not always. */
static void note_released(const void *lock, const char *name) {
    struct held *h = &this_cpu(held);
    unsigned i = h->n;

    while (i && h->lock[i - 1] != lock)
        i--;
    if (!i) {
        if (printk_panicking)
            return;
        panic("lock %s is released but not held", name);
    }
    for (; i < h->n; i++) {
        h->lock[i - 1] = h->lock[i];
        h->rank[i - 1] = h->rank[i];
        h->name[i - 1] = h->name[i];
    }
    h->n--;
}

unsigned locks_held(void) {
    return this_cpu(held).n;
}

#define CHECK_RANK(l, pair) check_rank((l), (l)->rank, (l)->name, (pair))
#define NOTE_HELD(l) note_held((l), (l)->rank, (l)->name)
#define NOTE_RELEASED(l) note_released((l), (l)->name)
#define SET_HOLDER(l) ((l)->cpu_plus1 = (uint16_t)(cpu_id() + 1))
#define CLEAR_HOLDER(l) ((l)->cpu_plus1 = 0)
#define INIT_DEBUG(l, r, n)                                                                        \
    do {                                                                                           \
        (l)->rank = (uint16_t)(r);                                                                 \
        (l)->cpu_plus1 = 0;                                                                        \
        (l)->name = (n);                                                                           \
    } while (0)

#else

#define CHECK_RANK(l, pair) ((void)(pair))
#define NOTE_HELD(l) ((void)0)
#define NOTE_RELEASED(l) ((void)0)
#define SET_HOLDER(l) ((void)0)
#define CLEAR_HOLDER(l) ((void)0)
#define INIT_DEBUG(l, r, n) ((void)(r), (void)(n))

#endif

void spin_lock_init(spinlock_t *l, enum lock_rank rank, const char *name) {
    l->word = 0;
    INIT_DEBUG(l, rank, name);
}

static void acquire(spinlock_t *l, bool pair) {
    CHECK_RANK(l, pair);
    ticket_lock(l);
    SET_HOLDER(l);
    NOTE_HELD(l);
}

/* Cannot wait, so cannot deadlock: any rank will do. */
bool spin_trylock(spinlock_t *l) {
    uint32_t word = load_relaxed(&l->word);

    if ((word >> 16) != (word & 0xffff) || cmpxchg32(&l->word, word, word + TICKET_NEXT) != word)
        return false;
    SET_HOLDER(l);
    NOTE_HELD(l);
    return true;
}

static void release(spinlock_t *l) {
    NOTE_RELEASED(l);
    CLEAR_HOLDER(l);
    ticket_unlock(l);
}

bool spin_is_held(const spinlock_t *l) {
#if HF_DEBUG
    return READ_ONCE(l->cpu_plus1) == cpu_id() + 1;
#else
    uint32_t word = load_relaxed(&l->word);

    return (word >> 16) != (word & 0xffff);
#endif
}

void spin_lock_pair(spinlock_t *a, spinlock_t *b) {
    spinlock_t *first = a < b ? a : b;

    acquire(first, false);
    if (a != b)
        acquire(first == a ? b : a, true);
}

void spin_unlock_pair(spinlock_t *a, spinlock_t *b) {
    release(a);
    if (a != b)
        release(b);
}

void rwlock_init(rwlock_t *l, enum lock_rank rank, const char *name) {
    l->word = 0;
    l->writers_waiting = 0;
    INIT_DEBUG(l, rank, name);
}

void rw_wait_read(rwlock_t *l) {
    for (;;) {
        uint32_t waiting = load_relaxed(&l->writers_waiting);
        uint32_t word = load_relaxed(&l->word);

        if (waiting)
            cpu_wait_while32(&l->writers_waiting, waiting);
        else if (word & RW_WRITER)
            cpu_wait_while32(&l->word, word);
        else
            return;
    }
}

void rw_wait_write(rwlock_t *l) {
    uint32_t word;

    atomic_add32(&l->writers_waiting, 1);
    while ((word = cmpxchg32(&l->word, 0, RW_WRITER)) != 0)
        cpu_wait_while32(&l->word, word);
    atomic_sub32(&l->writers_waiting, 1);
}

#if HF_DEBUG

void spin_lock(spinlock_t *l) {
    acquire(l, false);
}

void spin_unlock(spinlock_t *l) {
    release(l);
}

void read_lock(rwlock_t *l) {
    CHECK_RANK(l, false);
    rw_lock_read(l);
    NOTE_HELD(l);
}

/* Who does not get it waits for it next. */
bool read_trylock(rwlock_t *l) {
    CHECK_RANK(l, false);
    if (!rw_trylock_read(l))
        return false;
    NOTE_HELD(l);
    return true;
}

void read_unlock(rwlock_t *l) {
    NOTE_RELEASED(l);
    rw_unlock_read(l);
}

void write_lock(rwlock_t *l) {
    CHECK_RANK(l, false);
    rw_lock_write(l);
    SET_HOLDER(l);
    NOTE_HELD(l);
}

void write_unlock(rwlock_t *l) {
    NOTE_RELEASED(l);
    CLEAR_HOLDER(l);
    rw_unlock_write(l);
}

#endif

bool rw_is_write_held(const rwlock_t *l) {
#if HF_DEBUG
    return READ_ONCE(l->cpu_plus1) == cpu_id() + 1;
#else
    return load_relaxed(&l->word) & RW_WRITER;
#endif
}

bool rw_is_held(const rwlock_t *l) {
#if HF_DEBUG
    return holds(l);
#else
    return load_relaxed(&l->word) != 0;
#endif
}
