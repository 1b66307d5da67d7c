/* Floor 1: the generic timer as a guest has it (Arm ARM D11.2): its virtual timer, and what EL2
 * lets through. */
#ifndef ASM_TIMER_H
#define ASM_TIMER_H

#include <stdint.h>

#include <asm/barrier.h>
#include <asm/sysreg.h>

#define CNT_CTL_ENABLE 1u
#define CNT_CTL_IMASK 2u
#define CNT_CTL_ISTATUS 4u

#define CNTHCTL_EL1PCTEN 1u /* CNTPCT does not trap; CNTP_* do while EL1PCEN, bit 1, is 0 */

static inline uint32_t vtimer_read_ctl(void) {
    isb();
    return (uint32_t)read_sysreg(cntv_ctl_el0);
}
static inline uint64_t vtimer_read_cval(void) {
    return read_sysreg(cntv_cval_el0);
}
/* Off: its interrupt line is low when this returns. */
static inline void vtimer_write_off(void) {
    write_sysreg(0, cntv_ctl_el0);
    isb();
}
static inline void vtimer_write(uint64_t offset, uint64_t cval, uint32_t ctl) {
    write_sysreg(offset, cntvoff_el2);
    write_sysreg(cval, cntv_cval_el0);
    isb();
    write_sysreg(ctl, cntv_ctl_el0);
    isb();
}
static inline void timer_init_guest_access(void) {
    write_sysreg(CNTHCTL_EL1PCTEN, cnthctl_el2);
    isb();
}

#endif
