/* Floor 6: the keys of the host console, see docs/debugging.md. */
#ifndef HV_KEYS_H
#define HV_KEYS_H

void keys_init(void); /* after domains_init() */

#endif
