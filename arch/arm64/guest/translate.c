/* Both stages of the current vCPU's translation, by the hardware (Arm ARM D8.12). */
#include <hv/bits.h>
#include <hv/types.h>

#include <asm/guest_regs.h>
#include <asm/guest_trap.h>
#include <asm/sysreg.h>

#define PAR_F BIT(0)
#define PAR_PA GENMASK(47, 12)

/* As the kernel of the guest would see it: hypercalls come from EL1. PAR_EL1 is the guest's. */
bool guest_translate(vaddr_t va, bool write, paddr_t *pa) {
    uint64_t saved = read_sysreg(par_el1), par;

    if (write)
        __asm__ volatile("at s12e1w, %0\n\tisb" ::"r"(va) : "memory");
    else
        __asm__ volatile("at s12e1r, %0\n\tisb" ::"r"(va) : "memory");
    par = read_sysreg(par_el1);
    write_sysreg(saved, par_el1);
    *pa = paddr((par & PAR_PA) | (va & ~PAGE_MASK));
    return !(par & PAR_F);
}
