/* The hypervisor's log: formats, marks lines, and hands them on; keeps what comes before there is
 * anywhere to put it. */
#include <hv/percpu.h>
#include <hv/printk.h>
#include <hv/spinlock.h>
#include <hv/string.h>

#define PREFIX "(HF) "
#define TEXT_MAX 512u
#define EARLY_SIZE 8192u

bool printk_panicking;
static unsigned panic_cpu;

static spinlock_t log_lock = SPINLOCK_INIT(RANK_LOG, "log");

/* All under log_lock, or panic_cpu's alone. */
static void (*log_sink)(const char *s, size_t n);
static char text[TEXT_MAX];
static bool midline;
static char
    early[EARLY_SIZE]; /* the newest bytes of early_total, at their number modulo the size */
static size_t early_total;

static void keep_early(const char *s, size_t n) {
    for (size_t i = 0; i < n; i++)
        early[early_total++ % EARLY_SIZE] = s[i];
}

static void emit(const char *s, size_t n) {
    if (log_sink)
        log_sink(s, n);
    else
        keep_early(s, n);
}

/* Line by line, so that each one gets its prefix. */
static void emit_lines(const char *s, size_t n) {
    while (n) {
        const char *newline = memchr(s, '\n', n);
        size_t take = newline ? (size_t)(newline - s) + 1 : n;

        if (!midline && take > 1)
            emit(PREFIX, sizeof(PREFIX) - 1);
        emit(s, take);
        midline = !newline;
        s += take;
        n -= take;
    }
}

/* Returns whether log_lock was taken. In a panic every other CPU is silent and nothing is waited
 * for. */
static bool log_enter(bool *locked) {
    *locked = false;
    if (printk_panicking)
        return cpu_id() == panic_cpu;
    spin_lock(&log_lock);
    *locked = true;
    return true;
}

void vprintk(const char *fmt, va_list ap) {
    bool locked;
    int n;

    if (!log_enter(&locked))
        return;
    n = hv_vsnprintf(text, sizeof(text), fmt, ap);
    if (n > 0)
        emit_lines(text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
    if (n >= (int)sizeof(text))
        emit_lines("...\n", 4);
    if (locked)
        spin_unlock(&log_lock);
}

void printk(const char *fmt, ...) {
    va_list ap;

    va_start(ap, fmt);
    vprintk(fmt, ap);
    va_end(ap);
}

static void replay(void) {
    size_t at = early_total > EARLY_SIZE ? early_total % EARLY_SIZE : 0;
    size_t n = early_total > EARLY_SIZE ? EARLY_SIZE : early_total;
    size_t first = n < EARLY_SIZE - at ? n : EARLY_SIZE - at;

    if (early_total > EARLY_SIZE)
        log_sink("...", 3);
    log_sink(early + at, first);
    if (n > first)
        log_sink(early, n - first);
}

void printk_set_sink(void (*sink)(const char *s, size_t n)) {
    bool first;

    spin_lock(&log_lock);
    first = !log_sink;
    log_sink = sink;
    if (first && early_total)
        replay();
    spin_unlock(&log_lock);
}

void printk_enter_panic(void) {
    panic_cpu = cpu_id();
    __atomic_store_n(&printk_panicking, true, __ATOMIC_RELEASE);
}
