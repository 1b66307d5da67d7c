/* PSCI 1.1 for guests (Arm DEN0022): their CPUs, and the end of their domain. */
#include <hv/domain.h>
#include <hv/guest_map.h>
#include <hv/psci.h>
#include <hv/vcpu.h>
#include <hv/vpsci.h>

#include <asm/nospec.h>

#define PSCI_RANGE_MASK                                                                            \
    0xbfffffe0u /* PSCI's functions are 0x84000000 to 0x8400001f, and their 64-bit twins */
#define PSCI_RANGE 0x84000000u
#define PSCI_FN_64 0x40000000u
#define PSCI_VERSION_1_1 0x10001
#define PSCI_NO_MIGRATION 2 /* MIGRATE_INFO_TYPE: no trusted OS that would have to move */
#define PSCI_RESET2_WARM 0u

enum psci_affinity_state { AFFINITY_ON = 0, AFFINITY_OFF = 1, AFFINITY_ON_PENDING = 2 };

/* An argument has the width of the function called. */
static uint64_t argument(const struct cpu_regs *regs, unsigned n, uint32_t fn) {
    return fn & PSCI_FN_64 ? regs->x[n] : (uint32_t)regs->x[n];
}

static struct vcpu *vcpu_by_affinity(const struct domain *d, uint64_t affinity) {
    uint64_t id = (affinity >> 8) * VCPUS_PER_CLUSTER + (affinity & 0xff);

    if ((affinity & 0xff) >= VCPUS_PER_CLUSTER)
        return NULL;
    return id < d->max_vcpus ? d->vcpus[index_nospec(id, d->max_vcpus)] : NULL;
}

/* Execution can start there: memory of the domain, aligned for an instruction. */
static bool entry_is_good(struct domain *d, uint64_t entry) {
    enum p2m_type t = P2M_INVALID;
    uint64_t align = d->aarch32 ? (entry & 1 ? 0 : 3) : 3; /* bit 0 asks for Thumb */

    if (entry & align)
        return false;
    p2m_lookup(&d->p2m, ipaddr_to_gfn(ipaddr(entry)), &t, NULL);
    return t != P2M_INVALID && t != P2M_MMIO_DIRECT;
}

static int64_t cpu_on(struct vcpu *v, uint64_t target, uint64_t entry, uint64_t context) {
    struct domain *d = v->domain;
    struct vcpu *t = vcpu_by_affinity(d, target);

    if (!t)
        return PSCI_INVALID_PARAMETERS;
    if (!entry_is_good(d, entry))
        return PSCI_INVALID_ADDRESS;
    if (!vcpu_claim(t))
        return READ_ONCE(t->state) == VCPU_STARTING ? PSCI_ON_PENDING : PSCI_ALREADY_ON;
    vcpu_arch_init(t);
    vgic_reset_cpu_interface(t);
    vcpu_set_entry(t, entry, context, d->aarch32);
    vcpu_online(t);
    return PSCI_SUCCESS;
}

static int64_t affinity_of(const struct vcpu *v) {
    switch (READ_ONCE(v->state)) {
    case VCPU_OFFLINE:
    case VCPU_DEAD:
        return AFFINITY_OFF;
    case VCPU_STARTING:
        return AFFINITY_ON_PENDING;
    default:
        return AFFINITY_ON;
    }
}

/* The state of all CPUs that share the affinity fields from `level` up: ON if any of them is. */
static int64_t affinity_info(const struct vcpu *v, uint64_t target, uint64_t level) {
    const struct domain *d = v->domain;
    int64_t state = PSCI_INVALID_PARAMETERS;
    uint64_t ignored;

    if (level > 3)
        return PSCI_INVALID_PARAMETERS;
    ignored = level == 3 ? 0xffffff : (1ULL << (8 * level)) - 1;
    for (unsigned i = 0; i < d->max_vcpus; i++) {
        int64_t one;

        if ((vcpu_affinity(i) ^ target) & ~ignored)
            continue;
        one = affinity_of(d->vcpus[i]);
        if (one == AFFINITY_ON)
            return AFFINITY_ON;
        if (state != AFFINITY_ON_PENDING)
            state = one;
    }
    return state;
}

static int64_t features(uint32_t fn, bool aarch32) {
    switch (fn) {
    case PSCI_CPU_SUSPEND64:
    case PSCI_CPU_ON64:
    case PSCI_AFFINITY_INFO64:
    case PSCI_SYSTEM_RESET2_64:
        return aarch32 ? PSCI_NOT_SUPPORTED : PSCI_SUCCESS;
    case PSCI_VERSION:
    case PSCI_CPU_SUSPEND32: /* 0: the original power_state format, platform-coordinated */
    case PSCI_CPU_OFF:
    case PSCI_CPU_ON32:
    case PSCI_AFFINITY_INFO32:
    case PSCI_MIGRATE_INFO_TYPE:
    case PSCI_SYSTEM_OFF:
    case PSCI_SYSTEM_RESET:
    case PSCI_FEATURES:
    case PSCI_SYSTEM_RESET2_32:
    case SMCCC_VERSION: /* tells that the convention's version can be asked */
        return PSCI_SUCCESS;
    default:
        return PSCI_NOT_SUPPORTED;
    }
}

/* The vCPU goes on a few instructions in the hypervisor; on its way out it finds that its domain
 * has ended. */
static int64_t system_end(struct vcpu *v, enum shutdown_reason reason) {
    domain_shutdown(v->domain, reason);
    return PSCI_INTERNAL_FAILURE;
}

static int64_t system_reset2(struct vcpu *v, uint64_t type) {
    if (type != PSCI_RESET2_WARM)
        return PSCI_INVALID_PARAMETERS;
    return system_end(v, SHUT_REBOOT);
}

/* Any power state is entered as the lightest: wait for an interrupt, keep everything. */
static int64_t cpu_suspend(void) {
    vcpu_block();
    return PSCI_SUCCESS;
}

/* All but PSCI_VERSION. */
static int64_t other_call(struct vcpu *v, const struct cpu_regs *regs, uint32_t fn) {
    switch (fn) {
    case PSCI_CPU_ON32:
    case PSCI_CPU_ON64:
        return cpu_on(v, argument(regs, 1, fn), argument(regs, 2, fn), argument(regs, 3, fn));
    case PSCI_CPU_OFF:
        vcpu_stop_self(VCPU_OFFLINE);
        return PSCI_INTERNAL_FAILURE; /* not reached: a CPU_ON starts a fresh stack */
    case PSCI_CPU_SUSPEND32:
    case PSCI_CPU_SUSPEND64:
        return cpu_suspend();
    case PSCI_AFFINITY_INFO32:
    case PSCI_AFFINITY_INFO64:
        return affinity_info(v, argument(regs, 1, fn), argument(regs, 2, fn));
    case PSCI_MIGRATE_INFO_TYPE:
        return PSCI_NO_MIGRATION;
    case PSCI_SYSTEM_OFF:
        return system_end(v, SHUT_POWEROFF);
    case PSCI_SYSTEM_RESET:
        return system_end(v, SHUT_REBOOT);
    case PSCI_SYSTEM_RESET2_32:
    case PSCI_SYSTEM_RESET2_64:
        return system_reset2(v, (uint32_t)regs->x[1]);
    case PSCI_FEATURES:
        return features((uint32_t)regs->x[1], v->domain->aarch32);
    default:
        return PSCI_NOT_SUPPORTED;
    }
}

bool vpsci_call(struct vcpu *v, const struct cpu_regs *regs, uint32_t fn, int64_t *ret) {
    if (unlikely((fn & PSCI_RANGE_MASK) != PSCI_RANGE))
        return false;
    *ret = fn == PSCI_VERSION ? PSCI_VERSION_1_1 : other_call(v, regs, fn);
    return true;
}
