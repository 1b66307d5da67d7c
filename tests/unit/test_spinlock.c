/* Locks between threads, each of which is a CPU, and the check of ranks. */
/* SOURCES: common/lib/spinlock.c */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <hv/bits.h>
#include <hv/percpu.h>
#include <hv/printk.h>
#include <hv/spinlock.h>

#define CPUS 4
#define ROUNDS 20000

DEFINE_PER_CPU(uint32_t, cpu_number);
bool printk_panicking;

static jmp_buf panic_jump;
static bool panic_expected;
static char panic_text[200];

void panic(const char *fmt, ...) {
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(panic_text, sizeof(panic_text), fmt, ap);
    va_end(ap);
    if (panic_expected)
        longjmp(panic_jump, 1);
    fprintf(stderr, "panic: %s\n", panic_text);
    abort();
}

/* The rest of .percpu is the lock code's; it lies next to cpu_number, well within this distance. */
#define AREA 65536
static char areas[CPUS][AREA] __attribute__((aligned(64)));

static void become_cpu(unsigned cpu) {
    percpu_set_offset((uintptr_t)areas[cpu] + AREA / 2 - ((uintptr_t)&cpu_number & ~63UL));
    memset(areas[cpu], 0, AREA);
    this_cpu(cpu_number) = cpu;
}

static void leave_cpu(void) {
    percpu_set_offset(0);
}

static spinlock_t lock, lock2;
static rwlock_t rw;
static uint64_t counter, mirror, readers_seen;
static unsigned fails;

static void *spin_thread(void *arg) {
    become_cpu((unsigned)(uintptr_t)arg);
    for (unsigned i = 0; i < ROUNDS; i++) {
        if (i % 8 == 0 && !spin_trylock(&lock))
            continue;
        else if (i % 8)
            spin_lock(&lock);
        if (!spin_is_held(&lock) || counter != mirror)
            __atomic_fetch_add(&fails, 1, __ATOMIC_RELAXED);
        counter++;
        mirror++;
        spin_unlock(&lock);
    }
    return NULL;
}

static void *pair_thread(void *arg) {
    unsigned cpu = (unsigned)(uintptr_t)arg;

    become_cpu(cpu);
    for (unsigned i = 0; i < ROUNDS; i++) {
        spinlock_t *a = (i + cpu) & 1 ? &lock : &lock2, *b = a == &lock ? &lock2 : &lock;

        spin_lock_pair(a, b);
        counter++;
        spin_unlock_pair(a, b);
    }
    return NULL;
}

static void *rw_thread(void *arg) {
    unsigned cpu = (unsigned)(uintptr_t)arg;

    become_cpu(cpu);
    for (unsigned i = 0; i < ROUNDS; i++) {
        if ((i + cpu) % 4 == 0) {
            write_lock(&rw);
            if (!rw_is_write_held(&rw) || !rw_is_held(&rw))
                __atomic_fetch_add(&fails, 1, __ATOMIC_RELAXED);
            counter++;
            mirror++;
            write_unlock(&rw);
        } else {
            if (i & 1 || !read_trylock(&rw))
                read_lock(&rw);
            if (counter != mirror || rw_is_write_held(&rw) || !rw_is_held(&rw))
                __atomic_fetch_add(&fails, 1, __ATOMIC_RELAXED);
            __atomic_fetch_add(&readers_seen, 1, __ATOMIC_RELAXED);
            read_unlock(&rw);
        }
    }
    return NULL;
}

static void run_threads(void *(*fn)(void *)) {
    pthread_t t[CPUS];

    counter = mirror = fails = 0;
    spin_lock_init(&lock, RANK_HEAP, "heap");
    spin_lock_init(&lock2, RANK_HEAP, "heap2");
    rwlock_init(&rw, RANK_P2M, "p2m");
    for (uintptr_t i = 0; i < CPUS; i++)
        pthread_create(&t[i], NULL, fn, (void *)i);
    for (unsigned i = 0; i < CPUS; i++)
        pthread_join(t[i], NULL);
    assert_int_equal(fails, 0);
}

static void exclusion(void **state) {
    (void)state;
    run_threads(spin_thread);
    assert_int_equal(counter, mirror);
    assert_true(counter >= CPUS * ROUNDS * 7ULL / 8);
}

static void pairs(void **state) {
    (void)state;
    run_threads(pair_thread);
    assert_int_equal(counter, (uint64_t)CPUS * ROUNDS);
}

static void readers_and_writers(void **state) {
    (void)state;
    run_threads(rw_thread);
    assert_int_equal(counter, (uint64_t)CPUS * ROUNDS / 4);
    assert_int_equal(readers_seen, (uint64_t)CPUS * ROUNDS * 3 / 4);
    assert_int_equal(rw.word, 0);
    assert_int_equal(rw.writers_waiting, 0);
}

/* A reader that only tries leaves nothing behind where a writer has or wants the lock. */
static void reader_that_tries(void **state) {
    (void)state;
    become_cpu(0);
    rwlock_init(&rw, RANK_P2M, "p2m");
    assert_true(read_trylock(&rw));
    assert_int_equal(rw.word, 1);
    read_unlock(&rw);
    rw.writers_waiting = 1;
    assert_false(read_trylock(&rw));
    rw.writers_waiting = 0;
    rw.word = RW_WRITER; /* another CPU's */
    assert_false(read_trylock(&rw));
    assert_int_equal(rw.word, RW_WRITER);
    rw.word = 0;
    assert_int_equal(locks_held(), 0);
    leave_cpu();
}

/* The ticket wraps round after 65536. */
static void wrap(void **state) {
    spinlock_t l = SPINLOCK_INIT(RANK_HEAP, "heap");

    (void)state;
    become_cpu(0);
    for (unsigned i = 0; i < 200000; i++) {
        spin_lock(&l);
        assert_false(spin_trylock(&l));
        spin_unlock(&l);
        assert_false(spin_is_held(&l));
    }
    assert_true(spin_trylock(&l));
    spin_unlock(&l);
    assert_int_equal(locks_held(), 0);
    leave_cpu();
}

#define assert_panics(statement, text)                                                             \
    do {                                                                                           \
        panic_expected = true;                                                                     \
        panic_text[0] = '\0';                                                                      \
        if (!setjmp(panic_jump)) {                                                                 \
            statement;                                                                             \
        }                                                                                          \
        panic_expected = false;                                                                    \
        assert_string_equal(panic_text, text);                                                     \
    } while (0)

static void ranks(void **state) {
    spinlock_t low = SPINLOCK_INIT(RANK_P2M, "low"), high = SPINLOCK_INIT(RANK_HEAP, "high");
    spinlock_t same = SPINLOCK_INIT(RANK_HEAP, "same");
    rwlock_t rwl = RWLOCK_INIT(RANK_P2M, "rw");
    char text[100];

    (void)state;
    become_cpu(0);
    spin_lock(&low);
    spin_lock(&high);
    assert_int_equal(locks_held(), 2);
    spin_unlock(&low); /* any order of release */
    snprintf(text, sizeof(text), "lock low (rank %u) is taken while high (rank %u) is held",
             RANK_P2M, RANK_HEAP);
    assert_panics(spin_lock(&low), text);
    assert_panics(spin_lock(&high), "lock high is taken twice");
    snprintf(text, sizeof(text), "lock same (rank %u) is taken while high (rank %u) is held",
             RANK_HEAP, RANK_HEAP);
    assert_panics(spin_lock(&same), text);
    snprintf(text, sizeof(text), "lock rw (rank %u) is taken while high (rank %u) is held",
             RANK_P2M, RANK_HEAP);
    assert_panics(read_lock(&rwl), text);
    assert_panics((void)!read_trylock(&rwl), text);
    assert_panics(write_lock(&rwl), text);
    assert_true(spin_trylock(&low)); /* cannot wait */
    spin_unlock(&low);
    spin_unlock(&high);
    assert_panics(spin_unlock(&high), "lock high is released but not held");
    read_lock(&rwl);
    assert_panics(read_lock(&rwl), "lock rw is taken twice");
    read_unlock(&rwl);
    spin_lock_pair(&high, &same);
    assert_int_equal(locks_held(), 2);
    spin_unlock_pair(&high, &same);
    spin_lock_pair(&high, &high);
    assert_int_equal(locks_held(), 1);
    spin_unlock_pair(&high, &high);
    assert_false(rw_is_held(&rwl));
    leave_cpu();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exclusion), cmocka_unit_test(pairs), cmocka_unit_test(readers_and_writers),
        cmocka_unit_test(wrap),      cmocka_unit_test(ranks), cmocka_unit_test(reader_that_tries),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
