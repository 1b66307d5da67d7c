/* The token bucket for lines that a guest can cause. */
#include <hv/printk.h>
#include <hv/spinlock.h>

/* One lock for all buckets: held for a few instructions, and a line that passes costs far more. */
static spinlock_t bucket_lock = SPINLOCK_INIT(RANK_LEAF, "ratelimit");

static void refill(struct ratelimit *rl, uint64_t now_ns) {
    uint64_t intervals = now_ns > rl->last_ns ? (now_ns - rl->last_ns) / RATELIMIT_INTERVAL_NS : 0;

    if (intervals >= RATELIMIT_BURST - rl->tokens) {
        rl->tokens = RATELIMIT_BURST;
        rl->last_ns = now_ns;
    } else {
        rl->tokens += (uint32_t)intervals;
        rl->last_ns += intervals * RATELIMIT_INTERVAL_NS;
    }
}

bool log_ratelimit(struct ratelimit *rl, uint64_t now_ns) {
    uint32_t untold = 0;
    bool allowed;

    spin_lock(&bucket_lock);
    refill(rl, now_ns);
    allowed = rl->tokens > 0;
    if (allowed) {
        rl->tokens--;
        untold = __atomic_exchange_n(&rl->suppressed, 0, __ATOMIC_RELAXED);
    } else {
        __atomic_fetch_add(&rl->suppressed, 1, __ATOMIC_RELAXED);
    }
    spin_unlock(&bucket_lock);
    if (untold)
        printk("%u line%s suppressed\n", untold, untold == 1 ? " was" : "s were");
    return allowed;
}
