/* The emulated serial port: registers, FIFO, interrupt line, and the way to the console. */
/* SOURCES: common/virt/vpl011.c common/virt/mmio.c common/virt/mmio_decode_a64.c common/virt/mmio_decode_a32.c common/lib/spinlock.c */
#include "captured_log.h"

#include <hv/bits.h>
#include <hv/domain.h>
#include <hv/errno.h>
#include <hv/guest_console.h>
#include <hv/guest_map.h>
#include <hv/mm.h>
#include <hv/vpl011.h>

#include <asm/guest_trap.h>

DEFINE_PER_CPU(uint32_t, cpu_number);

static struct domain dom;
static struct vcpu vc;

/* ---- what the port stands on ---- */

static bool line;
static unsigned line_changes, retries;
static struct console_port *port;
static char screen[256];
static bool out_of_memory;

void vgic_set_level(struct domain *d, struct vcpu *v, unsigned intid, bool level) {
    assert_ptr_equal(d, &dom);
    assert_null(v);
    assert_int_equal(intid, GUEST_VPL011_SPI);
    assert_true(level != line);
    line = level;
    line_changes++;
}

void console_add_port(struct console_port *p) {
    assert_null(port);
    port = p;
}
void console_remove_port(struct console_port *p) {
    assert_ptr_equal(port, p);
    port = NULL;
}
void guest_console_write(struct console_port *p, const char *s, size_t n) {
    assert_ptr_equal(p, port);
    strncat(screen, s, n);
}
void console_retry(struct console_port *p) {
    assert_ptr_equal(p, port);
    assert_int_equal(locks_held(), 0);
    retries++;
}
void *hv_zalloc(size_t size) {
    return out_of_memory ? NULL : calloc(1, size);
}
void hv_free(void *p) {
    free(p);
}

/* ---- a guest that is not asked for anything ---- */

bool guest_read_insn(struct vcpu *v, vaddr_t pc, uint32_t *insn) {
    (void)v;
    (void)pc;
    (void)insn;
    return false;
}
void guest_data_abort(struct vcpu *v, uint64_t esr, uint64_t far) {
    (void)v;
    (void)esr;
    (void)far;
}
uint64_t vcpu_get_sp(const struct vcpu *v) {
    (void)v;
    return 0;
}
void vcpu_set_sp(struct vcpu *v, uint64_t sp) {
    (void)v;
    (void)sp;
}
uint64_t vcpu_get_reg(const struct vcpu *v, unsigned n) {
    (void)v;
    return n;
}
void vcpu_set_reg(struct vcpu *v, unsigned n, uint64_t val) {
    (void)v;
    (void)n;
    (void)val;
}
void vcpu_skip_instruction(struct vcpu *v, unsigned bytes) {
    (void)v;
    (void)bytes;
}

/* ---- accesses ---- */

static bool access(unsigned at, unsigned size, bool write, uint64_t *val) {
    const struct mmio_range *r = mmio_find(&dom.mmio, ipaddr(GUEST_PL011_BASE + at));
    struct mmio_access a = {.offset = at, .size = (uint8_t)size, .write = write, .value = *val};
    bool ok;

    assert_non_null(r);
    ok = r->handler(&vc, r->arg, &a);
    *val = a.value;
    assert_int_equal(locks_held(), 0);
    return ok;
}

static uint32_t rd(unsigned at) {
    uint64_t val = 0;

    assert_true(access(at, 4, false, &val));
    return (uint32_t)val;
}

static void wr(unsigned at, uint64_t val) {
    assert_true(access(at, 4, true, &val));
}

static bool key(char c) {
    return port->input(port->arg, c);
}

static int start(void **state) {
    (void)state;
    memset(&dom, 0, sizeof(dom));
    strcpy(dom.name, "domU7");
    dom.id = 7;
    vc.domain = &dom;
    line = false;
    line_changes = retries = 0;
    screen[0] = '\0';
    assert_int_equal(vpl011_init(&dom, GUEST_VPL011_SPI), 0);
    return 0;
}

static int stop(void **state) {
    (void)state;
    vpl011_destroy(&dom);
    assert_null(dom.vpl011);
    assert_null(port);
    vpl011_destroy(&dom);
    return 0;
}

static void reset_values(void **state) {
    static const struct {
        uint16_t at, val;
    } regs[] = {{0x00, 0},     {0x04, 0},     {0x18, 0x90},  {0x20, 0},    {0x24, 0},
                {0x28, 0},     {0x2c, 0},     {0x30, 0x300}, {0x34, 0x12}, {0x38, 0},
                {0x3c, 0},     {0x40, 0},     {0x44, 0},     {0x48, 0},    {0x4c, 0},
                {0xfe0, 0x11}, {0xfe4, 0x10}, {0xfe8, 0x34}, {0xfec, 0},   {0xff0, 0x0d},
                {0xff4, 0xf0}, {0xff8, 0x05}, {0xffc, 0xb1}, {0x800, 0}};

    (void)state;
    for (unsigned i = 0; i < ARRAY_SIZE(regs); i++)
        if (rd(regs[i].at) != regs[i].val)
            fail_msg("register 0x%x is 0x%x, expected 0x%x", regs[i].at, rd(regs[i].at),
                     regs[i].val);
    assert_string_equal(port->name, "domU7");
    assert_string_equal(port->prefix, "(d7) ");
    assert_int_equal(dom.mmio.range[0].start, 0x22000000);
    assert_int_equal(dom.mmio.range[0].end, 0x22001000);
    assert_int_equal(line_changes, 0);
}

/* Speed, format and control: kept, without effect. Read-only and reserved ones: ignored. */
static void setup_writes(void **state) {
    (void)state;
    for (unsigned at = 0x20; at <= 0x34; at += 4)
        wr(at, 0xffffffff);
    assert_int_equal(rd(0x24), 0xffff);
    assert_int_equal(rd(0x28), 0x3f);
    assert_int_equal(rd(0x2c), 0xff);
    assert_int_equal(rd(0x30), 0xff87);
    wr(0x30, 0);
    assert_int_equal(rd(0x30), 0);
    wr(0x18, 0xffffffff);
    wr(0x3c, 0xffffffff);
    wr(0xfe0, 0xffffffff);
    wr(0x4, 0);
    wr(0x80, 1);
    assert_int_equal(rd(0x18), 0x90);
    assert_int_equal(rd(0x3c), 0);
    assert_int_equal(rd(0xfe0), 0x11);
    wr(0, 'x'); /* though the transmitter is off */
    assert_string_equal(screen, "x");
}

static void sizes(void **state) {
    uint64_t val = 'b';

    (void)state;
    assert_true(access(0, 1, true, &val));
    val = 0x163; /* the high byte is no character */
    assert_true(access(0, 2, true, &val));
    assert_string_equal(screen, "bc");
    val = ~0ULL;
    assert_true(access(0x18, 1, false, &val));
    assert_int_equal(val, 0x90);
    assert_true(access(0x18, 2, false, &val));
    assert_int_equal(val, 0x90);
    assert_false(access(0x18, 8, false, &val));
    assert_false(access(0x19, 1, false, &val));
    assert_false(access(0x1a, 2, true, &val));
}

static void receive(void **state) {
    (void)state;
    wr(0x38, 0x50);
    assert_true(key('a'));
    assert_true(line);
    assert_int_equal(rd(0x18), 0x80);
    assert_int_equal(rd(0x3c), 0x50);
    assert_int_equal(rd(0x40), 0x50);
    assert_true(key('b'));
    assert_int_equal(line_changes, 1);
    assert_int_equal(rd(0), 'a');
    assert_true(line);
    assert_int_equal(rd(0), 'b');
    assert_false(line);
    assert_int_equal(rd(0x18), 0x90);
    assert_int_equal(rd(0x3c), 0);
    assert_int_equal(rd(0), 0); /* empty */
    assert_int_equal(retries, 0);
    assert_true(key('\xff'));
    assert_int_equal(rd(0), 0xff);
}

static void full(void **state) {
    (void)state;
    for (unsigned round = 0; round < 5; round++) {
        for (unsigned i = 0; i < 32; i++) {
            assert_int_equal(rd(0x18) & 0x40, 0);
            assert_true(key((char)('A' + i)));
        }
        assert_false(key('!'));
        assert_int_equal(rd(0x18), 0xc0);
        for (unsigned i = 0; i < 32; i++) {
            assert_int_equal(rd(0), 'A' + i);
            assert_int_equal(retries, round + 1); /* once, when there is room again */
        }
    }
}

static void masks(void **state) {
    (void)state;
    assert_true(key('a'));
    assert_false(line);
    assert_int_equal(rd(0x40), 0);
    wr(0x38, 0x10);
    assert_true(line);
    wr(0x38, 0xffff0000);
    assert_false(line);
    assert_int_equal(rd(0x38), 0);
    wr(0x38, 0x40);
    assert_true(line);
    wr(0x44, 0x40);
    assert_false(line);
    assert_int_equal(rd(0x3c), 0x10);
    assert_true(key('b')); /* the next key is told of again */
    assert_true(line);
    wr(0x44, 0xffff);
    assert_int_equal(rd(0), 'a');
    assert_int_equal(rd(0), 'b');
}

static void transmit(void **state) {
    (void)state;
    wr(0x38, 0x20);
    assert_false(line); /* comes with the first character, as on the real one */
    wr(0, 'h');
    assert_true(line);
    wr(0, 'i');
    assert_int_equal(rd(0x40), 0x20);
    assert_int_equal(rd(0x18), 0x90);
    wr(0x44, 0x20);
    assert_false(line);
    wr(0, '\n');
    assert_true(line);
    wr(0x38, 0);
    assert_false(line);
    assert_string_equal(screen, "hi\n");
}

/* The console has no room: the FIFO reads as full and its interrupt waits with it. */
static void transmit_lags_behind(void **state) {
    (void)state;
    wr(0x38, 0x20);
    wr(0, 'a');
    assert_true(line);
    port->full = true;
    assert_int_equal(rd(0x18), 0x38);
    wr(0, 'b');
    assert_false(line);
    port->full = false;
    port->room(port->arg);
    assert_int_equal(locks_held(), 0);
    assert_true(line);
    assert_int_equal(rd(0x18), 0x90);
    assert_string_equal(screen, "ab");
}

static void no_memory(void **state) {
    static struct domain other;

    (void)state;
    out_of_memory = true;
    assert_int_equal(vpl011_init(&other, GUEST_VPL011_SPI), -ENOMEM);
    out_of_memory = false;
    assert_int_equal(
        mmio_register(&other.mmio, ipaddr(GUEST_PL011_BASE), 4096, NULL, NULL, "taken"), 0);
    assert_int_equal(vpl011_init(&other, GUEST_VPL011_SPI), -EEXIST);
    assert_null(other.vpl011);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, start, stop)
    const struct CMUnitTest tests[] = {
        T(reset_values),
        T(setup_writes),
        T(sizes),
        T(receive),
        T(full),
        T(masks),
        T(transmit),
        T(transmit_lags_behind),
        cmocka_unit_test(no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
