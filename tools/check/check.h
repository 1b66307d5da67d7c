/* holdfast-check: the machine that a device tree and its modules describe, without its hardware. */
#ifndef CHECK_H
#define CHECK_H

#include <hv/domain.h>

/* The bytes of a file that the boot loader would put at `at`; false: they would overlap others. */
bool world_add_file(uint64_t at, void *bytes, uint64_t size);
/* CPUs and IOMMUs of the tree. */
void world_init(const void *fdt);
/* Memory that Holdfast itself needs, about: the frame table and its own tables. */
void world_take_overhead(void);

/* Reports what is wrong with Holdfast's command line, as the boot would. */
void check_words(const void *fdt);

/* What was given to domains, in order; false past the last. */
struct given {
    const struct domain *d;
    enum { GIVEN_RAM, GIVEN_REGISTERS, GIVEN_INTERRUPT, GIVEN_STREAMS } kind;
    uint64_t guest, host, size; /* an interrupt's number in host; streams: first and count */
    const char *what;
};
bool world_given(unsigned i, struct given *out);
/* A domain that was built and started. */
const struct domain *world_domain(unsigned i);

#endif
