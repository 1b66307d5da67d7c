/*
 * Host fake of asm/sysreg.h: each register is a 64-bit variable found by its name, 0 at first. A
 * test reads and sets it with *fake_sysreg("hcr_el2"). Nothing of what a real register does
 * happens.
 */
#ifndef ASM_SYSREG_H
#define ASM_SYSREG_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define SYSREG_STR_(r) #r
#define SYSREG_STR(r) SYSREG_STR_(r)

uint64_t *fake_sysreg(const char *name);

__attribute__((weak)) uint64_t *fake_sysreg(const char *name) {
    static struct {
        const char *name;
        uint64_t val;
    } regs[512];
    unsigned i;

    for (i = 0; i < sizeof(regs) / sizeof(regs[0]) - 1 && regs[i].name; i++)
        if (!strcmp(regs[i].name, name))
            return &regs[i].val;
    if (!regs[i].name)
        regs[i].name = name;
    else
        abort();
    return &regs[i].val;
}

#define far_data_el2 far_el2
#define far_insn_el2 far_el2

#define read_sysreg(r) (*fake_sysreg(SYSREG_STR(r)))
#define write_sysreg(v, r) ((void)(*fake_sysreg(SYSREG_STR(r)) = (uint64_t)(v)))

#endif
