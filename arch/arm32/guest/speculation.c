/* Armv7: nothing is done at entries, so guests are not told that anything is. */
#include <hv/speculation.h>

struct speculation speculation = {SPEC_VULNERABLE, SPEC_VULNERABLE, SPEC_VULNERABLE};

void speculation_print(void) {
}
