/*
 * Floor 2: the hypervisor's log, and what happens when the hypervisor itself is wrong.
 *
 * printk() formats one piece of text and hands it to the sinks in order; a text that ends a line is
 * prefixed "(HF) ". Formats: d i u x X c s p %, flags 0 - + space #, width, precision, l ll z h hh.
 * Callable from anywhere, on any CPU, also before the console is up (then kept in a ring
 * and replayed to the first sink).
 */
#ifndef HV_PRINTK_H
#define HV_PRINTK_H

#include <stdarg.h>

#include <hv/types.h>

void printk(const char *fmt, ...) __printf(1, 2);
void vprintk(const char *fmt, va_list ap) __printf(1, 0);
int hv_snprintf(char *buf, size_t size, const char *fmt, ...) __printf(3, 4);
int hv_vsnprintf(char *buf, size_t size, const char *fmt, va_list ap) __printf(3, 0);

/*
 * Registers where log text goes (called with whole formatted pieces, not necessarily whole
 * lines, from any context, serialised by the log's lock). Replays what was logged before.
 */
void printk_set_sink(void (*sink)(const char *s, size_t n));

/*
 * Panic: from here on only this CPU's text is taken, without any lock, and the sink must do
 * likewise (printk_panicking tells it).
 */
void printk_enter_panic(void);
extern bool printk_panicking;

/*
 * A token bucket for lines that a guest can cause: at most `burst` at once, refilled one per
 * interval. log_ratelimit() says whether the line may be printed; a suppressed number is told
 * with the next line that is. One per domain, so that a noisy domain silences only itself.
 */
struct ratelimit {
    uint64_t last_ns;
    uint32_t tokens;
    uint32_t suppressed;
};
#define RATELIMIT_BURST 10u
#define RATELIMIT_INTERVAL_NS 500000000ULL
#define RATELIMIT_INIT                                                                             \
    { 0, RATELIMIT_BURST, 0 }
bool log_ratelimit(struct ratelimit *rl, uint64_t now_ns);
/* True, and counted, when log_ratelimit() would say no: for lines that cost something to prepare.
 */
static inline bool log_is_silent(struct ratelimit *rl, uint64_t now_ns) {
    if (__atomic_load_n(&rl->tokens, __ATOMIC_RELAXED) ||
        now_ns - __atomic_load_n(&rl->last_ns, __ATOMIC_RELAXED) >= RATELIMIT_INTERVAL_NS)
        return false;
    __atomic_fetch_add(&rl->suppressed, 1, __ATOMIC_RELAXED);
    return true;
}

/* Prints the message, registers and a backtrace, and stops the machine. Never returns. */
void panic(const char *fmt, ...) __printf(1, 2) __noreturn;

#define BUG()                                                                                      \
    do {                                                                                           \
        panic("BUG at %s:%d", __FILE__, __LINE__);                                                 \
    } while (0)
#define BUG_ON(c)                                                                                  \
    do {                                                                                           \
        if (unlikely(c))                                                                           \
            panic("BUG at %s:%d: %s", __FILE__, __LINE__, #c);                                     \
    } while (0)
#if HF_DEBUG
#define ASSERT(c) BUG_ON(!(c))
#else
#define ASSERT(c)                                                                                  \
    do {                                                                                           \
        if (0 && (c)) {                                                                            \
        }                                                                                          \
    } while (0)
#endif

#endif
