/* What all CPUs of the machine can do: kept as each CPU comes up. */
#include <hv/spinlock.h>

#include <asm/features.h>

struct cpu_features cpu_features;

static spinlock_t features_lock = SPINLOCK_INIT(RANK_LEAF, "features");
static unsigned cpus_seen; /* under features_lock */

static int field_level(uint64_t value, unsigned shift, bool is_signed) {
    int level = (int)((value >> shift) & 0xf);

    return is_signed && level > 7 ? level - 16 : level;
}

uint64_t features_combine(unsigned idreg, uint64_t a, uint64_t b) {
    uint64_t out = 0;

    for (unsigned shift = 0; shift < 64; shift += 4) {
        bool is_signed = features_field_is_signed(idreg, shift);
        bool a_less = field_level(a, shift, is_signed) < field_level(b, shift, is_signed);

        out |= (a_less ? a : b) & (0xfULL << shift);
    }
    return out;
}

void features_init_cpu(void) {
    uint64_t id[NR_IDREGS];

    features_read(id);
    spin_lock(&features_lock);
    for (unsigned i = 0; i < NR_IDREGS; i++)
        cpu_features.id[i] = cpus_seen ? features_combine(i, cpu_features.id[i], id[i]) : id[i];
    cpus_seen++;
    features_derive(&cpu_features);
    spin_unlock(&features_lock);
}
