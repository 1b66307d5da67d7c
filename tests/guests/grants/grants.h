/* Two domains that share memory by grants: domain 1 serves, domain 2 tests. Both run this image. */
#ifndef GRANTS_H
#define GRANTS_H

#include "../selftest/physmap.h"

#define SERVER 1
#define CLIENT 2
#define STRANGER 3 /* runs too, and may share with nobody */

#define REF_MAILBOX 8 /* the server's grant of the page both talk through */
#define REF_FIRST 16  /* grants from here on are made as the client asks */
#define NR_PAGES 4u   /* of the server, to be granted */

enum command {
    CMD_GRANT = 1,  /* ref, flags, domid, page, offset and length (version 2) */
    CMD_TRANSITIVE, /* ref, flags, domid, domid of the granter behind, its ref */
    CMD_MARKS,      /* ref: GTF_reading and GTF_writing as they stand */
    CMD_REVOKE,     /* ref */
    CMD_READ,       /* page, offset of a word: its value */
    CMD_WRITE,      /* page, offset, value */
    CMD_VERSION,    /* of the table: what set_version returns */
    CMD_SWAP,       /* two refs: the status */
    CMD_GIVE_BACK,  /* page: its memory goes back: extents done */
    CMD_POPULATE,   /* page: other memory comes: extents done */
    CMD_VISITS,     /* how often this was asked */
    CMD_QUIT,       /* no answer: the server turns itself off */
};

struct mailbox {
    volatile uint32_t asked, answered;
    volatile uint64_t command, arg[6], result;
};

static inline void *page_at(uint64_t gfn) {
    return (void *)(gfn << 12);
}

#endif
