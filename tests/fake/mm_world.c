/* The machine behind tests of common/mm (contract in mm_world.h). */
#include "mm_world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <hv/bits.h>
#include <hv/printk.h>
#include <hv/spinlock.h>

#include <asm/mmu.h>
#include <asm/tlb.h>

uint8_t *fake_ram, *fake_frame_table, *fake_frame_table_end;
uint64_t fake_ram_base, fake_ram_size;
static uint64_t frame_table_bytes;
static void *frame_table_map;

static void *reserve(uint64_t bytes) {
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);

    if (p == MAP_FAILED)
        abort();
    return p;
}

#define SECTION_BYTES MB(16)
#define GARBAGE_MAX MB(64)

void world_create(uint64_t base, uint64_t size) {
    uint64_t first = ALIGN_DOWN(base, SECTION_BYTES) >> PAGE_SHIFT;

    fake_ram_base = base;
    fake_ram_size = size;
    fake_ram = reserve(size);
    frame_table_bytes =
        (ALIGN_UP(base + size, SECTION_BYTES) >> PAGE_SHIFT) * sizeof(struct page_info);
    frame_table_map = reserve(frame_table_bytes + MB(2));
    fake_frame_table = (uint8_t *)(uintptr_t)ALIGN_UP((uintptr_t)frame_table_map, MB(2));
    fake_frame_table_end = fake_frame_table + frame_table_bytes;
    /* Nothing may rely on memory being zero at boot. */
    memset(fake_ram, 0xa5, MIN(size, GARBAGE_MAX));
    memset(fake_frame_table + first * sizeof(struct page_info), 0x5a,
           MIN(frame_table_bytes - first * sizeof(struct page_info), GARBAGE_MAX));
}

void world_boot(uint64_t base, uint64_t size) {
    world_create(base, size);
    if (boot_mem_add(paddr(base), size))
        abort();
    page_alloc_init();
}

void world_destroy(void) {
    munmap(fake_ram, fake_ram_size);
    munmap(frame_table_map, frame_table_bytes + MB(2));
    tlb_forget_all();
}

/* ---- messages and panics ---- */

char last_message[512];
unsigned messages;
jmp_buf panic_jmp;
int panic_expected;

void printk(const char *fmt, ...) {
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(last_message, sizeof(last_message), fmt, ap);
    va_end(ap);
    messages++;
    if (getenv("VERBOSE"))
        fputs(last_message, stderr);
}

void panic(const char *fmt, ...) {
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(last_message, sizeof(last_message), fmt, ap);
    va_end(ap);
    if (panic_expected)
        longjmp(panic_jmp, 1);
    fprintf(stderr, "panic: %s\n", last_message);
    abort();
}

/* ---- locks: one CPU, so what is checked is order and pairing ---- */

struct held {
    unsigned rank;
    uint16_t *holder;
};
static struct held held[16];
static unsigned nr_held;

static void take(unsigned rank, uint16_t *holder, const char *name) {
    if (nr_held && held[nr_held - 1].rank >= rank)
        panic("lock %s (rank %u) taken with rank %u held", name, rank, held[nr_held - 1].rank);
    *holder = 1;
    held[nr_held++] = (struct held){rank, holder};
}
static void drop(const uint16_t *holder) {
    if (!nr_held || held[nr_held - 1].holder != holder)
        panic("locks released out of order");
    *held[--nr_held].holder = 0;
}
void world_check_locks(void) {
    if (nr_held)
        panic("a lock of rank %u is still held", held[nr_held - 1].rank);
}
void world_reset_locks(void) {
    while (nr_held)
        *held[--nr_held].holder = 0;
}

void spin_lock_init(spinlock_t *l, enum lock_rank rank, const char *name) {
    *l = (spinlock_t){.rank = (uint16_t)rank, .name = name};
}
void spin_lock(spinlock_t *l) {
    take(l->rank, &l->cpu_plus1, l->name);
}
unsigned fake_trylock_fails;

/* There is nobody else, but where a test says so. */
bool spin_trylock(spinlock_t *l) {
    if (fake_trylock_fails) {
        fake_trylock_fails--;
        return false;
    }
    spin_lock(l);
    return true;
}
void spin_unlock(spinlock_t *l) {
    drop(&l->cpu_plus1);
}
bool spin_is_held(const spinlock_t *l) {
    return l->cpu_plus1;
}
void spin_lock_pair(spinlock_t *a, spinlock_t *b) {
    spin_lock(a);
    if (a == b)
        return;
    assert(b->rank == a->rank);
    b->cpu_plus1 = 1;
    held[nr_held++] = (struct held){b->rank, &b->cpu_plus1};
}
void spin_unlock_pair(spinlock_t *a, spinlock_t *b) {
    if (a != b)
        spin_unlock(b);
    spin_unlock(a);
}
void rwlock_init(rwlock_t *l, enum lock_rank rank, const char *name) {
    *l = (rwlock_t){.rank = (uint16_t)rank, .name = name};
}
void read_lock(rwlock_t *l) {
    take(l->rank, (uint16_t *)&l->word, l->name);
}
bool read_trylock(rwlock_t *l) {
    read_lock(l);
    return true;
}
void read_unlock(rwlock_t *l) {
    drop((uint16_t *)&l->word);
}
void write_lock(rwlock_t *l) {
    take(l->rank, &l->cpu_plus1, l->name);
}
void write_unlock(rwlock_t *l) {
    drop(&l->cpu_plus1);
}
bool rw_is_write_held(const rwlock_t *l) {
    return l->cpu_plus1;
}
bool rw_is_held(const rwlock_t *l) {
    return l->cpu_plus1 || l->word;
}

/* ---- windows ---- */

void *mapwin_open(paddr_t pa) {
    fake_windows++;
    return fake_at(pa);
}
void mapwin_close(const void *va) {
    (void)va;
    assert(fake_windows);
    fake_windows--;
}

/* ---- TLB ---- */

struct cached {
    uint64_t vttbr, gfn, mfn;
    uint64_t first, last; /* gfns of the leaf it was found in */
};
#define MAX_CACHED 256u
static struct cached cached[MAX_CACHED];
static unsigned nr_cached, oldest;
unsigned tlb_flushes_vmid, tlb_flushes_ipa, tlb_flushes_hyp;

void tlb_forget_all(void) {
    nr_cached = 0;
}

void tlb_touch(struct p2m *p2m, uint64_t g) {
    unsigned level;
    pte_t e = pt_lookup(&p2m->pt, g << PAGE_SHIFT, &level);
    uint64_t offset = g & ((1ULL << (pt_level_shift(level) - PAGE_SHIFT)) - 1);

    if (!pte_is_valid(e))
        return;
    cached[nr_cached < MAX_CACHED ? nr_cached++ : oldest++ % MAX_CACHED] =
        (struct cached){p2m->vttbr, g, (pte_addr(e) >> PAGE_SHIFT) + offset, g - offset,
                        g - offset + (1ULL << (pt_level_shift(level) - PAGE_SHIFT)) - 1};
}

unsigned tlb_count_stale(struct p2m *p2m) {
    unsigned n = 0;

    for (unsigned i = 0; i < nr_cached; i++) {
        unsigned level;
        pte_t e;
        uint64_t offset;

        if (cached[i].vttbr != p2m->vttbr)
            continue;
        e = pt_lookup(&p2m->pt, cached[i].gfn << PAGE_SHIFT, &level);
        offset = cached[i].gfn & ((1ULL << (pt_level_shift(level) - PAGE_SHIFT)) - 1);
        /* A leaf of another size is stale as well: both at once are a TLB conflict. */
        if (!pte_is_valid(e) || (pte_addr(e) >> PAGE_SHIFT) + offset != cached[i].mfn ||
            cached[i].first != cached[i].gfn - offset ||
            cached[i].last - cached[i].first + 1 != 1ULL << (pt_level_shift(level) - PAGE_SHIFT))
            n++;
    }
    return n;
}

unsigned tlb_count_to(uint64_t m) {
    unsigned n = 0;

    for (unsigned i = 0; i < nr_cached; i++)
        n += cached[i].mfn == m;
    return n;
}

static void forget_if(uint64_t vttbr, bool all, uint64_t g) {
    unsigned keep = 0;

    for (unsigned i = 0; i < nr_cached; i++)
        if (cached[i].vttbr != vttbr || (!all && (g < cached[i].first || g > cached[i].last)))
            cached[keep++] = cached[i];
    nr_cached = keep;
}

void (*tlb_flush_hook)(void);

void tlb_flush_vmid(uint64_t vttbr) {
    if (tlb_flush_hook)
        tlb_flush_hook();
    tlb_flushes_vmid++;
    forget_if(vttbr, true, 0);
}

/* As the hardware: an address stands for the whole leaf it was found in, and for no other. */
void tlb_flush_ipa(uint64_t vttbr, uint64_t ipa, uint64_t count, uint64_t stride) {
    if (tlb_flush_hook)
        tlb_flush_hook();
    tlb_flushes_ipa++;
    for (; count; count--, ipa += stride)
        forget_if(vttbr, false, ipa >> PAGE_SHIFT);
}
void tlb_flush_all_guests(void) {
    nr_cached = 0;
}
void tlb_flush_hyp(vaddr_t va, uint64_t size) {
    (void)va;
    (void)size;
    tlb_flushes_hyp++;
}
