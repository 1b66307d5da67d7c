/* SOURCES: common/boot/secrets.c common/lib/harden.c */
/* The secrets of a boot: what they are made of, that none tells of another, and that the tree keeps
 * nothing of them. */
#include "captured_log.h"

#include <hv/bits.h>
#include <hv/mm.h>
#include <hv/modules.h>

#include <libfdt.h>

#include "../../common/boot/secrets.h"

uint8_t *fake_ram, *fake_frame_table, *fake_frame_table_end;
uint64_t fake_ram_base = GB(1), fake_ram_size;
uint64_t fake_direct_end;

static uint64_t ticks, cpu_random;
static uint64_t key[2];

uint64_t time_ticks(void) {
    return ticks;
}
uint64_t harden_cpu_random(void) {
    return cpu_random;
}
void harden_set_key(uint64_t low, uint64_t high) {
    key[0] = low, key[1] = high;
}
bool harden_cpu(void) {
    return true;
}

static bool in_ram = true;
bool boot_mem_is_ram(paddr_t start, uint64_t size) {
    assert_int_equal(start.pa, fake_ram_base);
    assert_true(size <= fake_ram_size);
    return in_ram;
}
static struct boot_module module;
struct boot_module module_pages_from(uint64_t from) {
    struct boot_module m = {ALIGN_DOWN(module.start, PAGE_SIZE), PAGE_SIZE};

    return module.size && m.start >= from ? m : (struct boot_module){UINT64_MAX, 0};
}
void *mapwin_open(paddr_t pa) {
    fake_windows++;
    return fake_at(pa);
}
void mapwin_close(const void *va) {
    (void)va;
    fake_windows--;
}

/* With these properties of so many bytes, around them one that is nobody's seed. */
static void make_tree(const uint8_t *kaslr, int n, const uint8_t *rng, int m) {
    static uint64_t space[2048];

    fake_ram = (uint8_t *)space;
    fake_ram_size = sizeof(space);
    memset(space, 0, sizeof(space));
    assert_int_equal(fdt_create(space, sizeof(space)), 0);
    assert_int_equal(fdt_finish_reservemap(space), 0);
    assert_int_equal(fdt_begin_node(space, ""), 0);
    assert_int_equal(fdt_begin_node(space, "chosen"), 0);
    assert_int_equal(fdt_property_string(space, "bootargs", "audit"), 0);
    if (n >= 0)
        assert_int_equal(fdt_property(space, "kaslr-seed", kaslr, n), 0);
    if (m >= 0)
        assert_int_equal(fdt_property(space, "rng-seed", rng, m), 0);
    assert_int_equal(fdt_property_string(space, "stdout-path", "serial0"), 0);
    assert_int_equal(fdt_end_node(space), 0);
    assert_int_equal(fdt_end_node(space), 0);
    assert_int_equal(fdt_finish(space), 0);
}

static uint64_t first_word(bool *secret) {
    struct entropy e;

    *secret = secrets_gather(fake_ram, &e);
    return entropy_word(&e, 0);
}

/* The example of the paper: bytes 0 to 14 with the key of bytes 0 to 15. */
static void known_answer(void **state) {
    struct entropy e = ENTROPY_INIT(0x0706050403020100, 0x0f0e0d0c0b0a0908);

    (void)state;
    entropy_add(&e, 0x0706050403020100);
    assert_true(entropy_word(&e, 0x0f0e0d0c0b0a0908) == 0xa129ca6149be45e5);
}

static void words_taken(void **state) {
    struct entropy e = ENTROPY_INIT(0, 0), none = {0};
    uint64_t taken[3];

    (void)state;
    entropy_add(&e, 1);
    for (unsigned i = 0; i < ARRAY_SIZE(taken); i++) {
        taken[i] = entropy_word(&e, i);
        for (unsigned j = 0; j < i; j++)
            assert_true(taken[i] != taken[j]);
    }
    harden_start(&e);
    assert_true(__stack_chk_guard == ((uintptr_t)taken[0] & ~(uintptr_t)0xff));
    assert_true(key[0] == taken[1] && key[1] == taken[2]);
    assert_memory_equal(&e, &none, sizeof(e)); /* nothing is left to take another one of */
    __stack_chk_guard = 0;
}

/* Every bit of each source counts, and only those that cannot be guessed make it a secret. */
static void sources(void **state) {
    uint8_t seed[61];
    uint64_t plain, other;
    bool secret;

    (void)state;
    make_tree(NULL, -1, NULL, -1);
    plain = first_word(&secret);
    assert_false(secret);
    ticks = 1;
    assert_true(first_word(&secret) != plain && !secret);
    ticks = 0;
    cpu_random = 0x1122334455667788;
    assert_true(first_word(&secret) != plain && secret);
    cpu_random = 0;
    for (unsigned i = 0; i < sizeof(seed); i++)
        seed[i] = (uint8_t)(i + 1);
    make_tree(seed, 8, NULL, -1);
    assert_true(first_word(&secret) != plain && secret);
    make_tree(NULL, -1, seed, sizeof(seed));
    plain = first_word(&secret);
    assert_true(secret);
    for (unsigned i = 0; i < sizeof(seed); i++) {
        seed[i] ^= 0x80;
        make_tree(NULL, -1, seed, sizeof(seed));
        other = first_word(&secret);
        assert_true(other != plain && secret);
        seed[i] ^= 0x80;
    }
    for (int n = 0; n < 6; n++) { /* too short */
        make_tree(seed, n, NULL, -1);
        assert_true(first_word(&secret) != plain && !secret);
    }
    make_tree((uint8_t[8]){0}, 8, (uint8_t[32]){0}, 32); /* wiped by a kernel before us */
    (void)first_word(&secret);
    assert_false(secret);
}

static void the_tree_keeps_nothing(void **state) {
    static const uint8_t zero[64];
    uint8_t seed[64], before[sizeof(uint64_t[2048])];
    unsigned cleared = 0;
    int chosen, n;

    (void)state;
    memset(seed, 0xee, sizeof(seed));
    for (unsigned direct = 0; direct < 2; direct++) {
        fake_direct_end = direct ? ~0ULL : 0;
        make_tree(seed, 8, seed, sizeof(seed));
        memcpy(before, fake_ram, sizeof(before));
        in_ram = false; /* where nothing of it can be written */
        secrets_wipe(fake_ram, paddr(GB(1)));
        assert_memory_equal(before, fake_ram, sizeof(before));
        in_ram = true;
        secrets_wipe(fake_ram, paddr(GB(1)));
        assert_int_equal(fake_windows, 0);
        chosen = fdt_path_offset(fake_ram, "/chosen");
        assert_memory_equal(fdt_getprop(fake_ram, chosen, "kaslr-seed", &n), zero, 8);
        assert_int_equal(n, 8);
        assert_memory_equal(fdt_getprop(fake_ram, chosen, "rng-seed", &n), zero, sizeof(seed));
        assert_int_equal(n, sizeof(seed));
        for (unsigned i = 0; i < sizeof(before); i++)
            cleared += before[i] != fake_ram[i];
    }
    assert_int_equal(cleared, 2 * (8 + sizeof(seed))); /* and nothing else */
    make_tree(NULL, -1, NULL, -1);
    memcpy(before, fake_ram, sizeof(before));
    secrets_wipe(fake_ram, paddr(GB(1)));
    assert_memory_equal(before, fake_ram, sizeof(before));
}

/* A module's pages cannot be written to: what shares one stays, and is told. */
static void beside_a_module(void **state) {
    uint8_t seed[8], before[sizeof(uint64_t[2048])];

    (void)state;
    memset(seed, 0xee, sizeof(seed));
    make_tree(seed, sizeof(seed), NULL, -1);
    memcpy(before, fake_ram, sizeof(before));
    module = (struct boot_module){GB(1) + 0x800, 16};
    log_text[0] = 0;
    secrets_wipe(fake_ram, paddr(GB(1)));
    assert_memory_equal(before, fake_ram, sizeof(before));
    assert_non_null(strstr(log_text, "/chosen: kaslr-seed stays in memory"));
    module.start = GB(1) + PAGE_SIZE; /* the page after it */
    secrets_wipe(fake_ram, paddr(GB(1)));
    assert_memory_not_equal(before, fake_ram, sizeof(before));
    module.size = 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answer),    cmocka_unit_test(words_taken),
        cmocka_unit_test(sources),         cmocka_unit_test(the_tree_keeps_nothing),
        cmocka_unit_test(beside_a_module),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
