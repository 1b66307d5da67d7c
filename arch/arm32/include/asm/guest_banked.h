/* Floor 6: banked.S. */
#ifndef ASM_GUEST_BANKED_H
#define ASM_GUEST_BANKED_H

#include <asm/vcpu.h>

void banked_save(struct banked_regs *b);
void banked_load(const struct banked_regs *b);
void vfp_save(struct fpsimd_state *s, bool all_32);
void vfp_load(const struct fpsimd_state *s, bool all_32);

#endif
