/* A guest that makes every hypercall that takes long or takes memory, as often as it is told to. */
#ifndef CALLS_H
#define CALLS_H

#include "../selftest/evtchn.h"

struct operation {
    const char *name;
    void (*run)(void); /* leaves things as they were; may be broken off at any point, or fail */
};
extern const struct operation operations[];
extern const unsigned nr_operations;

/* Grants pages to this domain, for others' GRANTS; after it, or without it, prepare(). */
void give(unsigned domid);
void prepare(void);

extern unsigned peer;    /* the domain whose grants are mapped */
extern bool strict;      /* what is refused once must be granted when it is asked for again */
extern unsigned refused; /* so many were; counted when strict */

/* Seeded by whoever needs it; never 0. */
extern uint64_t random_state;
uint64_t below(uint64_t n);

#endif
