/* The line of the host console: keys, editing, finding the command and checking its arguments. */
#include <hv/guests.h>
#include <hv/monitor.h>
#include <hv/printk.h>
#include <hv/string.h>

#include "monitor.h"

#define LINE_MAX 64u
#define CTRL_C 3
#define CTRL_U 21
#define ESCAPE 27
#define DELETE 127

/* Written by the console's receiver while `busy` is clear, by the domain thread while it is set. */
static char line[LINE_MAX];
static unsigned length;
static bool open;                           /* a line is being typed */
static const struct monitor_command *keyed; /* asked for by a key; NULL: by the line */
static bool busy;                           /* atomic */

/* What is typed is a source of its own on the screen; it gets no keys, so it is shown at once. */
static struct console_port echo = {.name = "monitor", .prefix = "(HF) "};

static void show(const char *s) {
    (void)console_port_write(&echo, s, strlen(s));
}

static void prompt(void) {
    length = 0;
    show("> ");
}

/* ---- the command ---- */

/* Takes the next word out of *at and ends it; "" when there is none. */
static char *next_word(char **at) {
    char *word = *at, *end;

    while (*word == ' ')
        word++;
    for (end = word; *end && *end != ' '; end++)
        ;
    *at = *end ? end + 1 : end;
    *end = '\0';
    return word;
}

static const struct monitor_command *find_command(const char *name) {
    const struct monitor_command *c = monitor_commands;

    while (c->name && strcmp(c->name, name))
        c++;
    return c->name ? c : NULL;
}

/* Whether `word` is one of the list "this|that". */
static bool is_choice(const char *list, const char *word) {
    size_t n = strlen(word);

    for (const char *at = list; at; at = strchr(at, '|')) {
        at += *at == '|';
        if (n && !strncmp(at, word, n) && (at[n] == '|' || !at[n]))
            return true;
    }
    return false;
}

/* False: the arguments are not what the command takes. */
static bool read_args(const struct monitor_command *c, char *at, struct monitor_args *args) {
    const char *form = c->args;
    char *end;

    args->word = next_word(&at);
    if (*form == 'N') {
        args->number = strtoul(args->word, &end, 10);
        if (end == args->word || *end)
            return false;
        args->word = next_word(&at);
        form += 2;
    }
    if (*next_word(&at))
        return false;
    if (!strstr(form, "DOMAIN"))
        return *form ? is_choice(form, args->word) : !*args->word;
    if (!*args->word)
        return *form == '[';
    args->guest = guest_find(args->word);
    if (args->guest)
        args->domain = domain_by_id(args->guest->domid);
    return args->guest;
}

static void run_line(void) {
    struct monitor_args args = {NULL, NULL, "", 0};
    char *at = line;
    const char *name = next_word(&at);
    const struct monitor_command *c = find_command(name);

    if (!c)
        printk("%s: no such command; \"help\" lists them\n", name);
    else if (!read_args(c, at, &args))
        printk("expected: %s %s\n", c->name, c->args);
    else
        c->run(&args);
}

/* In the domain thread. */
static void run_command(void) {
    static const struct monitor_args none = {NULL, NULL, "", 0};

    if (keyed)
        keyed->run(&none);
    else
        run_line();
    keyed = NULL;
    if (open)
        prompt();
    __atomic_store_n(&busy, false, __ATOMIC_RELEASE);
    console_retry(&echo);
}

static void submit(const struct monitor_command *c) {
    keyed = c;
    WRITE_ONCE(busy, true);
    BUG_ON(!domains_call(run_command)); /* nobody else calls, and we one at a time */
}

/* ---- keys ---- */

static void key_alone(char c) {
    if (c == '\r' || c == '\n' || c == ':') {
        open = true;
        prompt();
        return;
    }
    for (const struct monitor_command *m = monitor_commands; m->name; m++)
        if (c && m->key == c)
            submit(m);
}

static void erase(unsigned n) {
    while (n-- && length) {
        length--;
        show("\b \b");
    }
}

static void close_line(void) {
    show("\n");
    open = false;
}

static void key_of_line(char c) {
    switch (c) {
    case '\r':
    case '\n':
        line[length] = '\0';
        if (!length) {
            close_line();
            return;
        }
        show("\n");
        submit(NULL);
        return;
    case '\b':
    case DELETE:
        erase(1);
        return;
    case CTRL_U:
        erase(length);
        return;
    case CTRL_C:
    case ESCAPE:
        close_line();
        return;
    default:
        if (c < ' ' || length == LINE_MAX - 1 || (c == ' ' && !length))
            return;
        line[length++] = c;
        show((char[]){c, '\0'});
    }
}

/* False: it waits until the command before is done. */
static bool key_in(void *arg, char c) {
    (void)arg;
    if (__atomic_load_n(&busy, __ATOMIC_ACQUIRE))
        return false;
    if (open)
        key_of_line(c);
    else
        key_alone(c);
    return true;
}

void monitor_init(void) {
    console_set_hv_input(key_in);
}
