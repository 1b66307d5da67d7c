/*
 * Guests have no debug registers here: DBGDIDR says version 0, which no debugger of a kernel knows.
 * What a kernel writes when it starts goes nowhere.
 */
#include <hv/bits.h>

#include <asm/guest_state.h>
#include <asm/sysreg.h>

#define HDCR_TPMCR BIT(5)
#define HDCR_TPM BIT(6)
#define HDCR_TDA BIT(9)
#define HDCR_TDOSA BIT(10)
#define HDCR_TDRA BIT(11)

enum sysreg_result debug_access(struct vcpu *v, uint32_t key, bool write, uint64_t *val) {
    (void)v;
    (void)key;
    if (!write)
        *val = 0;
    return SYSREG_DONE;
}

void debug_init_cpu(void) {
    uint32_t hpmn = read_sysreg(HDCR) & 0x1f;

    write_sysreg(hpmn | HDCR_TPMCR | HDCR_TPM | HDCR_TDA | HDCR_TDOSA | HDCR_TDRA, HDCR);
}
