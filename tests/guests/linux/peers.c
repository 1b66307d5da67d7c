/*
 * For two stock Linux domains that may share: messages through a granted page and an event channel,
 * by Debian's modules xen-gntalloc, xen-gntdev and xen-evtchn.
 *
 *   peers offer DOMID            grants a page and a port, prints them, answers until its peer goes
 *   peers use DOMID REF PORT N   sends N messages and checks each answer
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* What the next ones want, and no header of theirs has. */
typedef uint16_t domid_t;
typedef uint32_t grant_ref_t;

#include <xen/evtchn.h>
#include <xen/gntalloc.h>
#include <xen/gntdev.h>

#define LAST "bye"

struct page {
    volatile uint32_t sent, answered; /* numbers of the last message and answer */
    char text[256];
};

static void die(const char *what) {
    fprintf(stderr, "peers: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int open_device(const char *path) {
    int fd = open(path, O_RDWR);

    if (fd < 0)
        die(path);
    return fd;
}

static struct page *map(int fd, uint64_t index) {
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)index);

    if (p == MAP_FAILED)
        die("mmap");
    return p;
}

static void notify(int fd, unsigned port) {
    struct ioctl_evtchn_notify op = {.port = port};

    __sync_synchronize();
    if (ioctl(fd, IOCTL_EVTCHN_NOTIFY, &op))
        die("notify");
}

/* Until the port fires; it may fire again then. */
static void wait_for(int fd, unsigned port) {
    uint32_t fired = 0;

    if (read(fd, &fired, sizeof(fired)) != sizeof(fired) || fired != port)
        die("event");
    if (write(fd, &fired, sizeof(fired)) != sizeof(fired))
        die("unmask");
    __sync_synchronize();
}

static void offer(unsigned peer) {
    struct ioctl_gntalloc_alloc_gref grant = {
        .domid = (uint16_t)peer, .flags = GNTALLOC_FLAG_WRITABLE, .count = 1};
    struct ioctl_evtchn_bind_unbound_port bind = {.remote_domain = peer};
    int alloc = open_device("/dev/xen/gntalloc"), events = open_device("/dev/xen/evtchn");
    struct page *page;
    int port;

    if (ioctl(alloc, IOCTL_GNTALLOC_ALLOC_GREF, &grant))
        die("grant");
    page = map(alloc, grant.index);
    port = ioctl(events, IOCTL_EVTCHN_BIND_UNBOUND_PORT, &bind);
    if (port < 0)
        die("port");
    printf("offered %u %d\n", grant.gref_ids[0], port);
    fflush(stdout);
    for (int last = 0; !last;) {
        wait_for(events, (unsigned)port);
        if (page->answered == page->sent)
            continue;
        last = !strcmp(page->text, LAST);
        for (char *c = page->text; *c; c++)
            *c = (char)toupper((unsigned char)*c);
        __sync_synchronize();
        page->answered = page->sent;
        notify(events, (unsigned)port);
    }
    printf("answered %u\n", page->answered);
}

static void ask(int events, unsigned port, struct page *page, uint32_t n, const char *text,
                const char *wanted) {
    strcpy(page->text, text);
    __sync_synchronize();
    page->sent = n;
    notify(events, port);
    while (page->answered != n)
        wait_for(events, port);
    if (strcmp(page->text, wanted)) {
        fprintf(stderr, "peers: answer %u is \"%s\"\n", n, page->text);
        exit(1);
    }
}

static void use(unsigned peer, uint32_t ref, unsigned remote_port, unsigned n) {
    struct ioctl_gntdev_map_grant_ref grant = {.count = 1, .refs = {{.domid = peer, .ref = ref}}};
    struct ioctl_evtchn_bind_interdomain bind = {.remote_domain = peer, .remote_port = remote_port};
    int grants = open_device("/dev/xen/gntdev"), events = open_device("/dev/xen/evtchn");
    struct page *page;
    char text[64], wanted[64];
    int port;

    if (ioctl(grants, IOCTL_GNTDEV_MAP_GRANT_REF, &grant))
        die("map");
    page = map(grants, grant.index);
    port = ioctl(events, IOCTL_EVTCHN_BIND_INTERDOMAIN, &bind);
    if (port < 0)
        die("bind");
    for (uint32_t i = 1; i <= n; i++) {
        snprintf(text, sizeof(text), "message %u", i);
        snprintf(wanted, sizeof(wanted), "MESSAGE %u", i);
        ask(events, (unsigned)port, page, i, text, wanted);
    }
    ask(events, (unsigned)port, page, n + 1, LAST, "BYE");
    printf("exchanged %u\n", n);
}

int main(int argc, char **argv) {
    if (argc == 3 && !strcmp(argv[1], "offer"))
        offer((unsigned)atoi(argv[2]));
    else if (argc == 6 && !strcmp(argv[1], "use"))
        use((unsigned)atoi(argv[2]), (uint32_t)strtoul(argv[3], NULL, 0), (unsigned)atoi(argv[4]),
            (unsigned)atoi(argv[5]));
    else
        return 2;
    return 0;
}
