/*
 * Floor 6: what guests can do to each other, and to us, by what the CPU runs ahead of itself: the
 * worst of all CPUs. Guests are told by SMCCC_ARCH_FEATURES.
 */
#ifndef HV_SPECULATION_H
#define HV_SPECULATION_H

#include <hv/types.h>

enum spec_state { SPEC_UNAFFECTED, SPEC_MITIGATED, SPEC_VULNERABLE };
struct speculation {
    enum spec_state targets, history, stores;
};
extern struct speculation speculation;

#define SMCCC_ARCH_WORKAROUND_1 0x80008000u
#define SMCCC_ARCH_WORKAROUND_2 0x80007fffu
#define SMCCC_ARCH_WORKAROUND_3 0x80003fffu
/* Answers about them: 0: call it. */
#define SMCCC_UNAFFECTED 1
#define SMCCC_NOT_REQUIRED (-2)

/* Each CPU, after firmware_init() and with its vectors in place. */
void speculation_init_cpu(void);
void speculation_print(void);

#endif
