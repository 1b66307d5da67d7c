/* Host fake of asm/hyp_timer.h: time stands still until the test moves it; one comparator for each
 * CPU. */
#ifndef ASM_HYP_TIMER_H
#define ASM_HYP_TIMER_H

#include <stdint.h>

extern uint64_t fake_time;
/* UINT64_MAX: off. Indexed by cpu_id(). */
extern uint64_t fake_comparator[];
unsigned fake_timer_cpu(void);

static inline uint64_t hyp_timer_frequency(void) {
    return 62500000;
}
static inline uint64_t hyp_timer_count(void) {
    return fake_time;
}
static inline void hyp_timer_set(uint64_t at) {
    fake_comparator[fake_timer_cpu()] = at;
}
static inline void hyp_timer_off(void) {
    fake_comparator[fake_timer_cpu()] = UINT64_MAX;
}

#endif
