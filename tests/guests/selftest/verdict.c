/* Whether the test that runs has failed, and what was wrong first. All CPUs may tell. */
#include "selftest.h"

static struct {
    bool failed; /* who makes it true fills in the rest */
    const char *what;
    unsigned line;
    uint64_t got, expected;
} verdict;

void check_equal(const char *what, unsigned line, uint64_t got, uint64_t expected) {
    if (got == expected || __atomic_exchange_n(&verdict.failed, true, __ATOMIC_SEQ_CST))
        return;
    verdict.what = what;
    verdict.line = line;
    verdict.got = got;
    verdict.expected = expected;
}

bool failed(void) {
    return *(volatile bool *)&verdict.failed;
}

bool verdict_end(const char *label, const char *name) {
    bool was = failed();

    if (was)
        print("%s %s: line %lu: %s: got 0x%lx expected 0x%lx\n", label, name,
              (uint64_t)verdict.line, verdict.what, verdict.got, verdict.expected);
    verdict.failed = false;
    return !was;
}
