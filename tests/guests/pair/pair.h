/*
 * Two domains run this one image. Each test runs in both at once, between two barriers; role() says
 * which of the two this is. Static event channels connect them (system test test_pair.py);
 * tests use other ports, and SPARE.
 */
#ifndef PAIR_H
#define PAIR_H

#include "../selftest/evtchn.h"

#define CALL 11      /* to meet, and at the very end */
#define SYNC_EVEN 10 /* barriers in turn: an event of the next one must not meet one of this */
#define SYNC_ODD 13
#define AGAIN 14                 /* the second one's life ends */
#define SPARE (role() ? 20 : 12) /* a third channel, for tests */

unsigned role(void); /* 0: the domain with the lower number */
unsigned self(void);
unsigned other(void); /* their numbers */

/* Until both are here. */
void barrier(void);
/* Longer than WAIT(): the other domain may not even run. */
#define WAIT_LONG(condition) WAIT_FOR(failed() ? 0 : 60000000, condition, nap())

/* The event is pending, and from now on it is not. */
bool took(int64_t port);

#endif
