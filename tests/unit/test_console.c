/* The console: prefixes, lines of several sources, prompts, the switch, keys that wait. */
/* SOURCES: common/core/console.c common/core/console_tx.c common/core/console_input.c common/lib/printk.c common/lib/vsnprintf.c common/lib/spinlock.c common/lib/string.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <hv/console.h>
#include <hv/percpu.h>
#include <hv/printk.h>
#include <hv/softirq.h>
#include <hv/spinlock.h>
#include <hv/timer.h>

DEFINE_PER_CPU(uint32_t, cpu_number);

void panic(const char *fmt, ...) {
    fprintf(stderr, "panic: %s\n", fmt);
    abort();
}

/* ---- softirqs and the timer, run by the test ---- */

static void (*softirq_handler)(void);
static bool softirq_raised;
static struct timer *timer_set_now;

void softirq_register(enum softirq nr, void (*handler)(void)) {
    assert_int_equal(nr, SOFTIRQ_CONSOLE);
    softirq_handler = handler;
}

void softirq_raise(enum softirq nr) {
    assert_int_equal(nr, SOFTIRQ_CONSOLE);
    softirq_raised = true;
}

static void run_softirq(void) {
    for (unsigned n = 0; softirq_raised; n++) {
        assert_true(n < 100);
        softirq_raised = false;
        softirq_handler();
        assert_int_equal(locks_held(), 0);
    }
}

void timer_init(struct timer *t, void (*fn)(void *arg), void *arg) {
    t->fn = fn;
    t->arg = arg;
}
void timer_set(struct timer *t, uint64_t expires) {
    (void)expires;
    timer_set_now = t;
}
void timer_stop(struct timer *t) {
    (void)t;
    timer_set_now = NULL;
}
bool timer_is_set(const struct timer *t) {
    return timer_set_now == t;
}
uint64_t time_ticks(void) {
    return 0;
}
uint64_t ns_to_ticks(uint64_t ns) {
    return ns;
}

static void run_timer(void) {
    struct timer *t = timer_set_now;

    assert_non_null(t);
    timer_set_now = NULL;
    t->fn(t->arg);
    run_softirq();
}

/* ---- a UART ---- */

static char screen[32768];
static size_t screen_len;
static const char *typed = "";
static bool rx_enabled;

/* With room_left < 0 it always has room, as under an emulator. */
static int room_left = -1;
static bool tx_enabled;

static void fake_putc(char c) {
    assert_true(screen_len + 1 < sizeof(screen));
    screen[screen_len++] = c;
    screen[screen_len] = '\0';
}
static bool fake_try_putc(char c) {
    if (!room_left)
        return false;
    if (room_left > 0)
        room_left--;
    fake_putc(c);
    return true;
}
static bool fake_tx_irq(bool enable) {
    tx_enabled = enable;
    return true;
}
static int fake_getc(void) {
    return *typed ? (unsigned char)*typed++ : -1;
}
static void fake_flush(void) {
}
static void fake_rx_irq(bool enable) {
    rx_enabled = enable;
}
static const struct uart_ops fake_uart = {"fake",     fake_putc,   fake_try_putc, fake_getc,
                                          fake_flush, fake_rx_irq, fake_tx_irq};

static void clear(void) {
    screen_len = 0;
    screen[0] = '\0';
}

static void type(const char *keys) {
    typed = keys;
    if (rx_enabled)
        console_rx_irq();
    run_softirq();
}

#define assert_screen(text)                                                                        \
    do {                                                                                           \
        assert_string_equal(screen, text);                                                         \
        clear();                                                                                   \
    } while (0)

/* ---- two guests ---- */

struct guest {
    struct console_port port;
    char got[2048];
    unsigned len, room, told;
};
static struct guest g1, g2, g10;

static bool take_key(void *arg, char c) {
    struct guest *g = arg;

    assert_int_equal(locks_held(), 0);
    if (!g->room)
        return false;
    g->room--;
    g->got[g->len++] = c;
    g->got[g->len] = '\0';
    return true;
}

static void told_of_room(void *arg) {
    struct guest *g = arg;

    assert_int_equal(locks_held(), 0);
    assert_false(console_port_full(&g->port));
    g->told++;
}

static void add(struct guest *g, unsigned id) {
    memset(g, 0, sizeof(*g));
    g->room = 1000;
    snprintf(g->port.name, sizeof(g->port.name), "domU%u", id);
    snprintf(g->port.prefix, sizeof(g->port.prefix), "(d%u) ", id);
    g->port.input = take_key;
    g->port.room = told_of_room;
    g->port.arg = g;
    console_add_port(&g->port);
}

static void say(struct guest *g, const char *s) {
    assert_int_equal(console_port_write(&g->port, s, strlen(s)), strlen(s));
}

static void say_by_char(struct guest *g, const char *s) {
    for (; *s; s++)
        assert_int_equal(console_port_write(&g->port, s, 1), 1);
}

static bool hv_key(void *arg, char c) {
    (void)arg;
    fake_putc('<');
    fake_putc(c);
    fake_putc('>');
    return true;
}

static int start(void **state) {
    static bool once;

    (void)state;
    if (!once) {
        printk("before\n");
        console_set_uart(&fake_uart);
        console_init();
        once = true;
        run_softirq();
        assert_string_equal(screen, "(HF) before\r\n");
    }
    assert_true(rx_enabled);
    assert_false(tx_enabled);
    add(&g2, 2); /* the order of adding is not the order of turns */
    add(&g10, 10);
    add(&g1, 1);
    clear();
    return 0;
}

/* Back to the state at the start: focus on Holdfast, nothing held back. */
static int stop(void **state) {
    (void)state;
    console_set_hv_input(NULL);
    console_remove_port(&g1.port);
    console_remove_port(&g2.port);
    console_remove_port(&g10.port);
    type("x\x01\x01\x01"); /* with no ports: to Holdfast again, and nobody is waited for */
    while (timer_set_now)
        run_timer();
    printk("\n");
    return 0;
}

static void whole_lines(void **state) {
    (void)state;
    say(&g1, "hello ");
    say_by_char(&g2, "two\r\n");
    assert_screen("(d2) two\r\n");
    printk("log\n");
    assert_screen("(HF) log\r\n");
    say(&g1, "world\nmore\n");
    assert_screen("(d1) hello world\r\n(d1) more\r\n");
    say(&g1, "\n\n");
    assert_screen("(d1) \r\n(d1) \r\n");
}

/* The prompt of the source with the focus is seen at once, and a line of another does not mix with
 * it. */
static void prompts(void **state) {
    (void)state;
    say(&g1, "# ");
    assert_screen("");
    type("\x01\x01\x01");
    assert_screen("(HF) *** Serial input to domU1 (d1) ***\r\n(d1) # ");
    say(&g1, "l");
    assert_screen("l");
    say(&g2, "x\n");
    assert_screen("\r\n(d2) x\r\n");
    say_by_char(&g1, "s\r\n");
    assert_screen("(d1) s\r\n");
    say(&g1, "# ");
    printk("log\n");
    assert_screen("(d1) # \r\n(HF) log\r\n");
    say(&g2, "part");
    assert_screen("");
}

static void carriage_return(void **state) {
    (void)state;
    say(&g1, "50%\r60%\r\n");
    assert_screen("(d1) 50%\r(d1) 60%\r\n");
    say_by_char(&g1, "a\r\r\nb\n");
    assert_screen("(d1) a\r\n(d1) b\r\n");
    say(&g1, "x\r(HF) false\n");
    assert_screen("(d1) x\r(d1) (HF) false\r\n");
}

/* Control characters work for who has the keys; of others they are seen and do nothing. */
static void control_characters(void **state) {
    (void)state;
    say(&g1, "\x1b[2J\a\tx\x7f\x9b"
             "1m\xc3\xa4\n");
    assert_screen("(d1) ^[[2J^G\tx^?^[[1m\xc3\xa4\r\n");
    type("\x01\x01\x01");
    assert_screen("(HF) *** Serial input to domU1 (d1) ***\r\n");
    say(&g1, "a\b\a\n");
    printk("log\n");
    assert_screen("(d1) a\b\a\r\n(HF) log\r\n");
    say(&g1, "\x1b]0;"); /* never ended: all that follows would be the terminal's title */
    say(&g2, "\x1b"
             "c\n");
    assert_screen("(d1) \x1b]0;\x18\x1b[0m\r\n(d2) ^[c\r\n");
    say(&g1, "\x1b[?25l\n");
    printk("log\n");
    assert_screen("(d1) \x1b[?25l\r\n\x18\x1b[0m(HF) log\r\n");
    type("\x01\x01\x01");
    assert_screen("\x18\x1b[!p(HF) *** Serial input to domU2 (d2) ***\r\n");
    say(&g1, "\x1b[8m\n");
    printk("log\n");
    assert_screen("(d1) ^[[8m\r\n(HF) log\r\n");
}

/* Longer than the buffer: the line stays one unless another breaks in. */
static void long_lines(void **state) {
    char text[301], want[400];

    (void)state;
    memset(text, 'y', 300);
    text[300] = '\0';
    say(&g1, text);
    say(&g1, "\n");
    snprintf(want, sizeof(want), "(d1) %s\r\n", text);
    assert_screen(want);
    say(&g1, text); /* 256 are shown */
    say(&g2, "z\n");
    say(&g1, "\n");
    text[256] = '\0';
    snprintf(want, sizeof(want), "(d1) %s\r\n(d2) z\r\n(d1) %.44s\r\n", text, text);
    assert_screen(want);
}

static void turns(void **state) {
    (void)state;
    type("\x01\x01\x01");
    assert_screen("(HF) *** Serial input to domU1 (d1) ***\r\n");
    type("\x01\x01");
    type("\x01");
    assert_screen("(HF) *** Serial input to domU2 (d2) ***\r\n");
    type("\x01\x01\x01");
    assert_screen("(HF) *** Serial input to domU10 (d10) ***\r\n");
    type("\x01\x01\x01");
    assert_screen("(HF) *** Serial input to Holdfast ***\r\n");
    type("\x01\x01\x01\x01\x01\x01");
    assert_screen("(HF) *** Serial input to domU1 (d1) ***\r\n"
                  "(HF) *** Serial input to domU2 (d2) ***\r\n");
}

static void keys(void **state) {
    (void)state;
    type("lost");
    console_set_hv_input(hv_key);
    type("hv");
    assert_screen("<h><v>");
    type("a\x01\x01\x01"
         "one\r");
    assert_screen("<a>(HF) *** Serial input to domU1 (d1) ***\r\n");
    assert_string_equal(g1.got, "one\r");
    /* an incomplete sequence is the guest's */
    type("\x01"
         "x\x01\x01y");
    assert_string_equal(g1.got, "one\r\x01x\x01\x01y");
    type("\x01\x01\x01two");
    assert_string_equal(g1.got, "one\r\x01x\x01\x01y");
    assert_string_equal(g2.got, "two");
    console_switch_key = 0;
    type("\x01\x01\x01\x01");
    console_switch_key = 1;
    assert_string_equal(g2.got, "two\x01\x01\x01\x01");
}

/* Several ports' keys at once, as a script types them: each gets its own, unless it was passed by.
 */
static void keys_around_switches(void **state) {
    (void)state;
    type("\x01\x01\x01"
         "off\r\x01\x01\x01"
         "x");
    assert_string_equal(g1.got, "");
    assert_string_equal(g2.got, "x");
    type("\x01\x01\x01\x01\x01\x01\x01\x01\x01");
    type("one\r\x01\x01\x01");
    type("two\r");
    assert_string_equal(g1.got, "one\r");
    assert_string_equal(g2.got, "xtwo\r");
    g2.room = 1;
    type("ab\x01\x01\x01"
         "c");
    assert_string_equal(g2.got, "xtwo\ra");
    assert_string_equal(g10.got, "c");
    g2.room = 5;
    console_retry(&g2.port);
    run_softirq();
    assert_string_equal(g2.got, "xtwo\ra");
}

/* A receiver with room for few: nothing is lost, the UART waits, and goes on when it takes more. */
static void slow_receiver(void **state) {
    char text[701];

    (void)state;
    for (unsigned i = 0; i < 700; i++)
        text[i] = (char)('a' + i % 26);
    text[700] = '\0';
    type("\x01\x01\x01");
    g1.room = 32;
    type(text);
    assert_int_equal(g1.len, 32);
    assert_false(rx_enabled);
    for (unsigned i = 0; i < 700; i++) {
        g1.room = 1; /* whatever it takes, its time begins anew */
        console_retry(&g1.port);
        run_softirq();
    }
    assert_string_equal(g1.got, text);
    assert_true(rx_enabled);
    assert_false(softirq_raised);
}

/* A receiver that takes nothing at all loses what waits; switching away works at once. */
static void dead_receiver(void **state) {
    static char text[601];

    (void)state;
    memset(text, 'k', 600);
    type("\x01\x01\x01");
    g1.room = 0;
    type(text);
    assert_false(rx_enabled);
    run_timer();
    assert_false(rx_enabled); /* the rest of it */
    run_timer();
    assert_true(rx_enabled);
    assert_int_equal(g1.len, 0);
    clear();
    type("abc\x01\x01\x01"
         "d");
    assert_screen("(HF) *** Serial input to domU2 (d2) ***\r\n");
    assert_string_equal(g2.got, "d");
    g1.room = 10;
    console_retry(&g1.port);
    run_softirq();
    assert_int_equal(g1.len, 0);
}

/* A domain that starts again under its name gets its focus back, unless the user has gone on. */
static void restart(void **state) {
    (void)state;
    type("\x01\x01\x01");
    say(&g1, "unfinished");
    clear();
    console_remove_port(&g1.port);
    assert_screen("\r\n");
    type("nobody");
    add(&g1, 1);
    type("a");
    assert_string_equal(g1.got, "a");
    console_remove_port(&g1.port);
    type("\x01\x01\x01");
    add(&g1, 1);
    type("b");
    assert_string_equal(g1.got, "");
    assert_string_equal(g2.got, "b");
}

/* ---- a UART that is slower than its guests ---- */

static void fifo_of(int n) {
    room_left = n;
    assert_true(tx_enabled);
    console_tx_irq();
    run_softirq();
}

static void transmits_by_interrupt(void **state) {
    (void)state;
    room_left = 4;
    say(&g1, "hello\n");
    assert_screen("(d1)");
    assert_true(tx_enabled);
    printk("log\n"); /* waits for its turn, and for nothing else */
    say(&g2, "two\n");
    assert_screen("");
    fifo_of(6);
    assert_screen(" hello");
    fifo_of(1000);
    assert_screen("\r\n(HF) log\r\n(d2) two\r\n");
    assert_false(tx_enabled);
    room_left = -1;
}

/* One that says more than its share waits; nobody else does; it is told when it may go on. */
static void a_share_for_each(void **state) {
    static char flood[2000];
    size_t taken;

    (void)state;
    memset(flood, 'f', sizeof(flood));
    for (unsigned i = 99; i < sizeof(flood); i += 100)
        flood[i] = '\n';
    room_left = 0;
    taken = console_port_write(&g1.port, flood, sizeof(flood));
    assert_true(taken > 0 && taken < 1000);
    assert_true(console_port_full(&g1.port));
    assert_int_equal(console_port_write(&g1.port, flood, 1), 0);
    say(&g2, "two\n");
    assert_false(console_port_full(&g2.port));
    fifo_of(100);
    assert_int_equal(g1.told, 0);
    clear();
    fifo_of(1000);
    assert_non_null(strstr(screen, "(d2) two\r\n"));
    assert_int_equal(g1.told, 1);
    assert_int_equal(g2.told, 0);
    assert_false(console_port_full(&g1.port));
    assert_true(console_port_write(&g1.port, flood + taken, 100) == 100);
    room_left = -1;
    console_tx_irq();
    run_softirq();
    clear();
}

/* The log is never cut, however little room there is. */
static void log_waits_when_the_ring_is_full(void **state) {
    char line[101], want[110];

    (void)state;
    memset(line, 'x', 100);
    line[100] = '\0';
    snprintf(want, sizeof(want), "(HF) %s\r\n", line);
    room_left = 0;
    for (unsigned i = 0; i < 16384 / strlen(want) + 1; i++)
        printk("%s\n", line);
    assert_true(screen_len > 0); /* the first were sent by waiting */
    assert_memory_equal(screen, want, screen_len < strlen(want) ? screen_len : strlen(want));
    clear();
    console_flush();
    assert_true(screen_len > 16000 || screen_len == 0);
    clear();
    room_left = -1;
}

/* A UART that sends nothing at all is not waited for. */
static void dead_uart(void **state) {
    static char flood[2000];

    (void)state;
    memset(flood, 'f', sizeof(flood));
    room_left = 0;
    console_port_write(&g1.port, flood, sizeof(flood));
    run_softirq();
    assert_true(console_port_full(&g1.port));
    run_timer();
    assert_false(console_port_full(&g1.port));
    assert_int_equal(g1.told, 1);
    room_left = -1;
    console_tx_irq();
    run_softirq();
    clear();
    say(&g2, "two\n");
    assert_screen("\r\n(d2) two\r\n");
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, start, stop)
    const struct CMUnitTest tests[] = {
        T(whole_lines),
        T(prompts),
        T(carriage_return),
        T(control_characters),
        T(long_lines),
        T(turns),
        T(keys_around_switches),
        T(keys),
        T(slow_receiver),
        T(dead_receiver),
        T(restart),
        T(transmits_by_interrupt),
        T(a_share_for_each),
        T(log_waits_when_the_ring_is_full),
        T(dead_uart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
