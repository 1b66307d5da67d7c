/* Between the line that is typed (monitor.c) and what is done (monitor_commands.c). */
#ifndef BOOT_MONITOR_H
#define BOOT_MONITOR_H

#include <hv/domain.h>
#include <hv/guest_config.h>

/* What a command is about: the domain it names, as far as there is one, a word, or a number. */
struct monitor_args {
    const struct guest_config *guest; /* NULL: none is named */
    struct domain *domain;            /* NULL: it does not live */
    const char *word;
    unsigned long number;
};

struct monitor_command {
    const char *name;
    char key;         /* asks for it without arguments; 0: none does */
    const char *args; /* "", "DOMAIN", "[DOMAIN]" (all, when none is named), "this|that",
                       * or one of the first two behind "N " */
    const char *help;
    void (*run)(const struct monitor_args *args); /* in the domain thread */
};

/* Ends with one without a name. */
extern const struct monitor_command monitor_commands[];

void monitor_trace(const struct monitor_args *args); /* monitor_trace.c */
/* monitor_fail.c, in debug builds */
void monitor_fail(const struct monitor_args *args);
void monitor_die(const struct monitor_args *args);

#endif
