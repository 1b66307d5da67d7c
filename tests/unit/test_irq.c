/* SOURCES: common/core/irq.c common/lib/spinlock.c common/lib/fdt.c */
/* Physical interrupts: what the controller is told around a handler, and specifiers read from a
 * tree. */
#include "captured_log.h"

#include <hv/cpu.h>
#include <hv/errno.h>
#include <hv/irq.h>

#include <libfdt.h>
#include <pthread.h>
#include <sched.h>

uintptr_t percpu_offsets[MAX_CPUS];
DEFINE_PER_CPU(uint32_t, cpu_number);

/* ---- a controller that writes down what it is told ---- */

static char said[1024];
static uint32_t waiting[64];
static unsigned nr_waiting;
static bool stuck; /* one line stays up */

static void __attribute__((format(printf, 1, 2))) say(const char *fmt, ...) {
    size_t n = strlen(said);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(said + n, sizeof(said) - n, fmt, ap);
    va_end(ap);
}

static void assert_said(const char *text) {
    assert_string_equal(said, text);
    said[0] = '\0';
}

static void chip_init_cpu(void) {
    say("init ");
}
static uint32_t chip_ack(void) {
    uint32_t irq = nr_waiting ? waiting[0] : IRQ_SPURIOUS;

    if (nr_waiting && !stuck)
        memmove(waiting, waiting + 1, --nr_waiting * sizeof(waiting[0]));
    return irq;
}
static void chip_eoi(uint32_t irq) {
    say("eoi%u ", irq);
}
static void chip_deactivate(uint32_t irq) {
    say("dir%u ", irq);
}
static void chip_enable(uint32_t irq) {
    say("on%u ", irq);
}
static bool disabled; /* atomic */
static void chip_disable(uint32_t irq) {
    say("off%u ", irq);
    __atomic_store_n(&disabled, true, __ATOMIC_RELEASE);
}
static void chip_trigger(uint32_t irq, enum irq_trigger t) {
    say("%s%u ", t == IRQ_EDGE ? "edge" : "level", irq);
}
static void chip_target(uint32_t irq, unsigned cpu) {
    say("cpu%u:%u ", cpu, irq);
}

static const struct irq_chip chip = {.nr_irqs = 96,
                                     .init_cpu = chip_init_cpu,
                                     .ack = chip_ack,
                                     .eoi = chip_eoi,
                                     .deactivate = chip_deactivate,
                                     .enable = chip_enable,
                                     .disable = chip_disable,
                                     .set_trigger = chip_trigger,
                                     .set_target = chip_target};

static jmp_buf stopped;

void cpu_stop_self(void) {
    longjmp(stopped, 1);
}

static enum irq_result handler(unsigned irq, void *arg) {
    say("run%u ", irq);
    return *(enum irq_result *)arg;
}

static enum irq_result to_us = IRQ_DONE, to_guest = IRQ_TO_GUEST;

static void arrives(uint32_t irq) {
    waiting[nr_waiting++] = irq;
}

static int setup(void **state) {
    (void)state;
    irq_init(&chip);
    assert_said("init on0 on1 ");
    assert_int_equal(irq_request(27, IRQ_LEVEL, handler, &to_guest, "ppi"), 0);
    assert_said("level27 on27 ");
    assert_int_equal(irq_request(40, IRQ_EDGE, handler, &to_us, "spi"), 0);
    assert_said("edge40 cpu0:40 on40 ");
    log_clear();
    return 0;
}

static int teardown(void **state) {
    (void)state;
    irq_release(27);
    irq_release(40);
    said[0] = '\0';
    stuck = false;
    nr_waiting = 0;
    return 0;
}

static void requests(void **state) {
    (void)state;
    assert_int_equal(irq_request(40, IRQ_EDGE, handler, NULL, "again"), -EBUSY);
    assert_int_equal(irq_request(15, IRQ_EDGE, handler, NULL, "sgi"), -EINVAL);
    assert_int_equal(irq_request(96, IRQ_EDGE, handler, NULL, "too high"), -EINVAL);
    assert_int_equal(irq_request(~0u, IRQ_EDGE, handler, NULL, "far too high"), -EINVAL);
    assert_said("");
    irq_release(40);
    assert_said("off40 ");
    assert_int_equal(irq_request(40, IRQ_LEVEL, handler, &to_us, "new"), 0);
    assert_said("level40 cpu0:40 on40 ");
}

/* A secondary CPU has its own enables for SGIs and PPIs, and none for SPIs. */
static void another_cpu(void **state) {
    (void)state;
    irq_init_cpu();
    assert_said("init on0 on1 level27 on27 ");
}

static void dispatch(void **state) {
    (void)state;
    irq_dispatch();
    assert_said("");
    arrives(40);
    arrives(27);
    arrives(SGI_KICK);
    for (unsigned i = 0; i < 4; i++) /* one more finds nothing */
        irq_dispatch();
    /* The guest's own EOI deactivates 27. */
    assert_said("eoi40 run40 dir40 eoi27 run27 eoi0 dir0 ");
}

static void nobody_asked(void **state) {
    (void)state;
    arrives(50);
    irq_dispatch();
    assert_said("off50 eoi50 dir50 ");
    assert_logged("50");
}

static void stop(void **state) {
    (void)state;
    arrives(SGI_STOP);
    arrives(40);
    if (!setjmp(stopped)) {
        irq_dispatch();
        fail_msg("SGI_STOP came back");
    }
    assert_said("eoi1 dir1 "); /* nothing of this CPU's is left active, nothing more is run */
}

/* A guest's instructions, or what else the caller does, come between. */
static void stuck_line_is_taken_once_a_call(void **state) {
    (void)state;
    arrives(40);
    stuck = true;
    irq_dispatch();
    assert_said("eoi40 run40 dir40 ");
    irq_dispatch();
    assert_said("eoi40 run40 dir40 ");
}

/* A release that comes while the handler runs elsewhere returns after it. */
static bool inside, finished; /* atomic */

static enum irq_result slow(unsigned irq, void *arg) {
    (void)irq;
    (void)arg;
    __atomic_store_n(&inside, true, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&disabled, __ATOMIC_ACQUIRE))
        sched_yield();
    for (unsigned i = 0; i < 2000; i++)
        sched_yield(); /* time in which a release that does not wait would return */
    __atomic_store_n(&finished, true, __ATOMIC_RELEASE);
    return IRQ_TO_GUEST;
}

static void *another_cpus_dispatch(void *arg) {
    (void)arg;
    irq_dispatch();
    return NULL;
}

static void release_waits_for_a_running_handler(void **state) {
    pthread_t other;

    (void)state;
    assert_int_equal(irq_request(41, IRQ_LEVEL, slow, NULL, "slow"), 0);
    disabled = false;
    arrives(41);
    assert_int_equal(pthread_create(&other, NULL, another_cpus_dispatch, NULL), 0);
    while (!__atomic_load_n(&inside, __ATOMIC_ACQUIRE))
        sched_yield();
    irq_release(41);
    assert_true(__atomic_load_n(&finished, __ATOMIC_ACQUIRE));
    pthread_join(other, NULL);
}

/* ---- specifiers ---- */

static uint64_t space[512];
static void *const tree = space;

static void put_cells(const char *name, unsigned n, const uint32_t *cells) {
    fdt32_t be[16];

    for (unsigned i = 0; i < n; i++)
        be[i] = cpu_to_fdt32(cells[i]);
    assert_int_equal(fdt_property(tree, name, be, (int)(4 * n)), 0);
}

/* A device with these `interrupts` (n cells; 0: none) below a controller with specifiers of
 * `cells`. */
static int read_specifier(unsigned cells, unsigned n, const uint32_t *interrupts, unsigned index,
                          unsigned *irq, enum irq_trigger *trigger) {
    static const uint32_t phandle = 1;

    assert_int_equal(fdt_create(tree, sizeof(space)), 0);
    assert_int_equal(fdt_finish_reservemap(tree), 0);
    assert_int_equal(fdt_begin_node(tree, ""), 0);
    put_cells("interrupt-parent", 1, &phandle);
    assert_int_equal(fdt_begin_node(tree, "gic"), 0);
    put_cells("phandle", 1, &phandle);
    if (cells)
        put_cells("#interrupt-cells", 1, &cells);
    assert_int_equal(fdt_end_node(tree), 0);
    assert_int_equal(fdt_begin_node(tree, "dev"), 0);
    if (n)
        put_cells("interrupts", n, interrupts);
    assert_int_equal(fdt_end_node(tree), 0);
    assert_int_equal(fdt_end_node(tree), 0);
    assert_int_equal(fdt_finish(tree), 0);
    return irq_from_fdt(tree, fdt_path_offset(tree, "/dev"), index, irq, trigger);
}

static void good_specifiers(void **state) {
    static const struct {
        uint32_t cell[3];
        unsigned irq;
        enum irq_trigger trigger;
    } cases[] = {
        {{0, 0, 4}, 32, IRQ_LEVEL}, {{0, 987, 1}, 1019, IRQ_EDGE}, {{1, 10, 0xf08}, 26, IRQ_LEVEL},
        {{1, 15, 2}, 31, IRQ_EDGE}, {{1, 0, 0}, 16, IRQ_LEVEL},    {{0, 33, 0xff01}, 65, IRQ_EDGE},
    };
    enum irq_trigger t;
    unsigned irq;

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        uint32_t four[8] = {1, 1, 4, 0};

        assert_int_equal(read_specifier(3, 3, cases[i].cell, 0, &irq, &t), 0);
        assert_int_equal(irq, cases[i].irq);
        assert_int_equal(t, cases[i].trigger);
        memcpy(four + 4, cases[i].cell, 12);
        assert_int_equal(read_specifier(4, 8, four, 1, &irq, &t), 0);
        assert_int_equal(irq, cases[i].irq);
        assert_int_equal(t, cases[i].trigger);
    }
}

static void bad_specifiers(void **state) {
    static const uint32_t spi[6] = {0, 5, 4, 0, 6, 4};
    static const uint32_t bad[][3] = {{2, 1, 4}, {0, 988, 4}, {1, 16, 4}, {0, ~0u, 4}, {~0u, 0, 4}};
    enum irq_trigger t;
    unsigned irq;

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(read_specifier(3, 3, bad[i], 0, &irq, &t), -EINVAL);
    assert_int_equal(read_specifier(3, 0, NULL, 0, &irq, &t), -ENOENT);
    assert_int_equal(read_specifier(3, 6, spi, 2, &irq, &t), -ENOENT);
    assert_int_equal(read_specifier(3, 6, spi, ~0u, &irq, &t), -ENOENT);
    assert_int_equal(read_specifier(3, 5, spi, 0, &irq, &t), -EINVAL); /* half an entry */
    assert_int_equal(read_specifier(4, 6, spi, 0, &irq, &t), -EINVAL);
    assert_int_equal(read_specifier(0, 3, spi, 0, &irq, &t), -EINVAL); /* not a controller */
    assert_int_equal(read_specifier(2, 6, spi, 0, &irq, &t), -EINVAL); /* another kind */
    assert_int_equal(read_specifier(5, 5, spi, 0, &irq, &t), -EINVAL);
    assert_int_equal(read_specifier(3, 6, spi, 1, &irq, &t), 0);
    assert_int_equal(irq, 38);
}

/* `interrupts-extended` of a device with two controllers, the second of which is no GIC. */
static int read_extended(unsigned n, const uint32_t *cells, unsigned index, unsigned *irq,
                         enum irq_trigger *trigger) {
    static const uint32_t gic = 1, other = 2, three = 3, two = 2, plain[3] = {0, 9, 4};

    assert_int_equal(fdt_create(tree, sizeof(space)), 0);
    assert_int_equal(fdt_finish_reservemap(tree), 0);
    assert_int_equal(fdt_begin_node(tree, ""), 0);
    put_cells("interrupt-parent", 1, &gic);
    assert_int_equal(fdt_begin_node(tree, "gic"), 0);
    put_cells("phandle", 1, &gic);
    put_cells("#interrupt-cells", 1, &three);
    assert_int_equal(fdt_end_node(tree), 0);
    assert_int_equal(fdt_begin_node(tree, "gpio"), 0);
    put_cells("phandle", 1, &other);
    put_cells("#interrupt-cells", 1, &two);
    assert_int_equal(fdt_end_node(tree), 0);
    assert_int_equal(fdt_begin_node(tree, "dev"), 0);
    put_cells("interrupts", 3, plain);
    put_cells("interrupts-extended", n, cells);
    assert_int_equal(fdt_end_node(tree), 0);
    assert_int_equal(fdt_end_node(tree), 0);
    assert_int_equal(fdt_finish(tree), 0);
    return irq_from_fdt(tree, fdt_path_offset(tree, "/dev"), index, irq, trigger);
}

static void extended_specifiers(void **state) {
    static const uint32_t good[] = {1, 0, 5, 4, 2, 7, 1, 1, 0, 6, 1}, lost[] = {3, 0, 5, 4},
                          cut[] = {1, 0, 5};
    enum irq_trigger t;
    unsigned irq;

    (void)state;
    assert_int_equal(read_extended(11, good, 0, &irq, &t), 0);
    assert_int_equal(irq, 37); /* and not what `interrupts` says */
    assert_int_equal(t, IRQ_LEVEL);
    assert_int_equal(read_extended(11, good, 1, &irq, &t), -EINVAL);
    assert_int_equal(read_extended(11, good, 2, &irq, &t), 0);
    assert_int_equal(irq, 38);
    assert_int_equal(t, IRQ_EDGE);
    assert_int_equal(read_extended(11, good, 3, &irq, &t), -ENOENT);
    assert_int_equal(read_extended(4, lost, 0, &irq, &t), -EINVAL);
    assert_int_equal(read_extended(3, cut, 0, &irq, &t), -EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(requests, setup, teardown),
        cmocka_unit_test_setup_teardown(another_cpu, setup, teardown),
        cmocka_unit_test_setup_teardown(dispatch, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(stop, setup, teardown),
        cmocka_unit_test_setup_teardown(stuck_line_is_taken_once_a_call, setup, teardown),
        cmocka_unit_test(good_specifiers),
        cmocka_unit_test_setup_teardown(release_waits_for_a_running_handler, setup, teardown),
        cmocka_unit_test(bad_specifiers),
        cmocka_unit_test(extended_specifiers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
