/* What every proof uses: any value, what is taken for granted, what is to be shown. */
#ifndef PROOF_H
#define PROOF_H

#define CHECK(condition, what) __CPROVER_assert(condition, what)
#define ASSUME(condition) __CPROVER_assume(condition)
/* An uninitialised variable has any value of its type. */
#define ANY(type)                                                                                  \
    ({                                                                                             \
        type any_;                                                                                 \
        any_;                                                                                      \
    })

/* A bool without a value may be neither 0 nor 1. */
#define ANY_BIT() (ANY(unsigned) & 1)

void proof(void); /* where cbmc starts */

#endif
