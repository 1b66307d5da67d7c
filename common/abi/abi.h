/* Floor 7: what the hypercall layer keeps for one domain. */
#ifndef ABI_ABI_H
#define ABI_ABI_H

#include <hv/console.h>
#include <hv/list.h>
#include <hv/spinlock.h>
#include <hv/timer.h>
#include <hv/types.h>
#include <hv/xen_abi.h>

struct domain;
struct evtchn;
struct fifo;
struct page_info;
struct vcpu;

#define GRANT_FRAMES_MAX 64u /* as Xen's default */
#define GRANT_STATUS_MAX                                                                           \
    (GRANT_FRAMES_MAX * 4096 / 16 * 2 / 4096) /* two bytes a grant of 16 bytes */

/* How often one grant is in use: by mappings, and by copies in progress. */
struct grant_pins {
    uint16_t readers, writers;
};
/* The smaller entries: those of version 1. */
#define GRANTS_PER_FRAME_MAX (4096 / 8)

/* Guarded by lock (RANK_GRANT): the frames are xenheap pages shared with the domain. */
struct grant_frames {
    spinlock_t lock;
    uint32_t version;
    uint32_t nr_frames;
    uint32_t nr_status;
    uint32_t uses; /* of all grants */
    bool dead; /* the domain is being destroyed: neither frames nor pins are looked at any more */
    struct grant_pins *pins[GRANT_FRAMES_MAX]; /* GRANTS_PER_FRAME_MAX for each frame */
    void *frame[GRANT_FRAMES_MAX];
    void *status[GRANT_STATUS_MAX];
};

#define NR_WATCHDOGS 2u

struct watchdog {
    struct timer timer;
    bool used;
};

#define CONSOLE_IO_KEYS 128u

/* console_io as a console: text has a line of its own, and keys wait until the guest reads them. */
struct console_io {
    struct console_port port;
    spinlock_t lock;  /* RANK_VPL011: all below */
    uint32_t in, out; /* run freely */
    char keys[CONSOLE_IO_KEYS];
};

/* Of one vCPU. */
struct vcpu_events {
    struct vcpu_info *info;       /* where its flags are; atomic */
    bool registered;              /* info is in a page of the guest: guest_page_keep() */
    struct vcpu_info own;         /* stands in until then */
    uint32_t virq_port[NR_VIRQS]; /* 0: not bound; atomic */
};

/* A channel of the device tree, from one end. */
struct static_evtchn {
    struct list link;
    uint32_t port, to; /* ours, and that of domain `remote` */
    hv_domid_t remote;
};

/* common/abi/evtchn.h says more. Guarded by lock where nothing else is said. */
struct events {
    spinlock_t lock;        /* RANK_EVTCHN */
    uint32_t nr_ports;      /* in the table; atomic, only grows */
    uint32_t first_free;    /* no port below it is free */
    struct evtchn **bucket; /* EVTCHNS_PER_BUCKET ports each */
    uint64_t *used;         /* a bit for each port that may be */
    struct fifo *fifo;      /* of new ports; NULL: 2-level. Changed only by who has `changing` */
    struct fifo *left;      /* the last one, while ports may still have it; likewise */
    bool changing;          /* atomic: events_change_begin() */
    uint32_t pollers;       /* atomic: vCPUs that poll */
    struct vcpu_events *vcpu;
    struct list fixed; /* struct static_evtchn; not changed once the domain runs */
};

struct maptrack_entry;
struct maptrack_list;

/* Handles of what the domain has mapped (grant.h): chunk and nr grow under lock, and are read
 * without. */
struct maptrack {
    spinlock_t lock; /* RANK_MAPTRACK */
    uint32_t nr;     /* handles there are */
    struct maptrack_entry **chunk;
    struct maptrack_list *free; /* one for each vCPU */
};

struct domain_abi {
    void *shared_info; /* one xenheap page */
    struct events events;
    struct grant_frames grant;
    struct console_io console_io;
    struct pv_console *pv_console; /* NULL: none */
    uint64_t console_pfn;          /* HVM_PARAM_CONSOLE_PFN and _EVTCHN; 0: no ring */
    uint32_t console_evtchn;       /* set before the domain runs */
    bool runstate_update_flag;     /* VMASST_TYPE_runstate_update_flag */
    spinlock_t watchdog_lock;      /* RANK_DOMAIN: the field below */
    struct watchdog watchdog[NR_WATCHDOGS];
    struct maptrack maptrack;
};

void watchdogs_init(struct domain *d);
void watchdogs_stop(struct domain *d);

/* The guest's end of it goes with the events, its memory later. */
void pv_console_die(struct domain *d);
void pv_console_destroy(struct domain *d);

void console_io_init(struct domain *d);
void console_io_destroy(struct domain *d);

/* Tells the scheduler how times get to the guest; once. */
void runstate_init(void);
int64_t runstate_register(struct vcpu *v, vaddr_t arg);

int grant_frames_init(struct domain *d);
/* From now on no grant of the domain can be taken, and uses end without a look at its table. */
void grant_frames_die(struct domain *d);
void grant_frames_destroy(struct domain *d);
/*
 * The page behind (space grant_table, idx), growing the table when a guest maps a frame it has not
 * yet; with a reference that put_page() drops. -EINVAL past the maximum, -ENOMEM.
 */
int grant_frame_get(struct domain *d, uint64_t idx, struct page_info **page) __must_check;

#endif
