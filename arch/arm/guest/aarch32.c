/* Conditions and IT blocks of AArch32 instructions, for those that are emulated. */
#include <asm/guest_regs.h>
#include <asm/guest_state.h>

/* ITSTATE of the next instruction in a T32 IT block (Arm ARM F1.2.6, ITAdvance). */
uint64_t aarch32_advance_it(uint64_t spsr) {
    unsigned it = (unsigned)((spsr & PSR32_IT_7_2) >> 8 | (spsr & PSR32_IT_1_0) >> 25);

    if (!it)
        return spsr;
    it = it & 7 ? (it & 0xe0) | ((it << 1) & 0x1f) : 0;
    spsr &= ~(PSR32_IT_7_2 | PSR32_IT_1_0);
    return spsr | (uint64_t)(it & 0xfc) << 8 | (uint64_t)(it & 3) << 25;
}

bool aarch32_condition_holds(uint64_t spsr, uint64_t esr) {
    bool n = spsr & BIT(31), z = spsr & BIT(30), c = spsr & BIT(29), o = spsr & BIT(28);
    unsigned cond = (unsigned)(esr >> 20) & 0xf;
    bool holds;

    if (!(esr & BIT(24))) {
        /* COND is not valid: a T32 instruction, its condition is in ITSTATE. */
        unsigned it = (unsigned)((spsr & PSR32_IT_7_2) >> 8 | (spsr & PSR32_IT_1_0) >> 25);

        if (!(spsr & PSR32_T) || !it)
            return true;
        cond = it >> 4;
    }
    switch (cond >> 1) {
    case 0:
        holds = z;
        break;
    case 1:
        holds = c;
        break;
    case 2:
        holds = n;
        break;
    case 3:
        holds = o;
        break;
    case 4:
        holds = c && !z;
        break;
    case 5:
        holds = n == o;
        break;
    case 6:
        holds = n == o && !z;
        break;
    default:
        return true;
    }
    return holds != (cond & 1);
}
