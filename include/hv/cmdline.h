/* Floor 4: words of the command line: name=value pairs and plain words, separated by blanks; quotes
 * keep blanks. */
#ifndef HV_CMDLINE_H
#define HV_CMDLINE_H

#include <hv/types.h>

void cmdline_init(const char *line); /* keeps the pointer */
/* Copies the (last) value of name= into buf. False when absent; a value too long is refused with a
 * line. */
bool cmdline_get(const char *name, char *buf, size_t size);
/* "word", "word=1|yes|on|true|enable" true; "no-word", "word=0|no|off|false|disable" false; absent:
 * def. */
bool cmdline_bool(const char *name, bool def);
/* True for name=OTHER; false for name=USUAL, when absent and, with a line, for anything else.
 * Without a choice other is NULL. */
bool cmdline_choice(const char *name, const char *usual, const char *other);
uint64_t cmdline_size(const char *name, uint64_t def); /* with K M G suffixes */
/* Prints a line for every word nobody asked for. */
void cmdline_report_unknown(void);

#endif
