/* The virtual GIC, v2 and v3: any access to any of its registers, by any CPU of four; lines, edges,
 * and CPUs that come and go in between. */
/* SOURCES: common/virt/vgic.c common/virt/vgic_lr.c common/virt/vgic_bank.c common/virt/vgic_dist.c common/virt/vgic_redist.c common/virt/vgic_v2.c common/lib/spinlock.c */
#include "fuzz.h"

#include "../unit/vgic_world.h"

#define CPUS 4u
#define SPIS 64u

static void access_any(void) {
    struct mmio_access a = {.size = (uint8_t)(1u << eat(1) % 4), .write = eat(1) & 1};
    unsigned frame = (unsigned)eat(1) % (1 + 2 * CPUS);
    unsigned at = (unsigned)eat(2) & ~(a.size - 1u);

    a.value = eat(a.size);
    if (!access_reg(frame ? 0x10000 * frame + at : at, &a) || a.write || a.size == 8)
        return;
    HOLDS(!(a.value >> 8 * a.size));
}

static void step(void) {
    unsigned cpu = (unsigned)eat(1) % CPUS, intid = (unsigned)eat(1) % (32 + SPIS);
    struct vcpu *v = intid < 32 ? vcpus[cpu] : NULL;

    switch (eat(1) % 8) {
    case 0:
        vgic_set_level(&dom, v, intid, eat(1) & 1);
        break;
    case 1:
        vgic_inject_edge(&dom, v, intid);
        break;
    case 2:
        on_cpu(cpu);
        break;
    case 3:
        all_return();
        break;
    case 4:
        if (vcpus[cpu]->vgic.loaded)
            switch_out(cpu);
        else
            switch_in(cpu);
        break;
    default:
        if (current->vgic.loaded)
            access_any();
        break;
    }
    HOLDS(!locks_held());
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    log_clear();
    input_is(data, size);
    fake_ops.version = eat(1) & 1 ? 2 : 3;
    mapped_pages = 0;
    world_make(CPUS, SPIS);
    while (input_left)
        step();
    world_drop();
    return 0;
}
