/* The guest's serial port: PL011 registers on top of a console port. */
#include <hv/bits.h>
#include <hv/domain.h>
#include <hv/errno.h>
#include <hv/guest_console.h>
#include <hv/guest_map.h>
#include <hv/mm.h>
#include <hv/string.h>
#include <hv/vpl011.h>

#define UARTDR 0x000
#define UARTFR 0x018
#define UARTILPR 0x020
#define UARTIBRD 0x024
#define UARTFBRD 0x028
#define UARTLCR_H 0x02c
#define UARTCR 0x030
#define UARTIFLS 0x034
#define UARTIMSC 0x038
#define UARTRIS 0x03c
#define UARTMIS 0x040
#define UARTICR 0x044
#define UARTDMACR 0x048
#define UARTPERIPHID0 0xfe0

#define FR_BUSY BIT(3)
#define FR_RXFE BIT(4)
#define FR_TXFF BIT(5)
#define FR_RXFF BIT(6)
#define FR_TXFE BIT(7)
#define INT_RX BIT(4)
#define INT_TX BIT(5)
#define INT_RX_TIMEOUT BIT(6)
#define INT_ALL 0x7ffu

#define FIFO_SIZE 32u

/* Registers that only remember: 0x20 .. 0x34, with the bits they have. */
static const uint16_t kept_mask[] = {0xff, 0xffff, 0x3f, 0xff, 0xff87, 0x3f};
static const uint16_t kept_reset[] = {0, 0, 0, 0, 0x300, 0x12};
#define NR_KEPT ARRAY_SIZE(kept_mask)

/* Peripheral ID (PL011 r1p5) and PrimeCell ID. */
static const uint8_t ids[] = {0x11, 0x10, 0x34, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

struct vpl011 {
    struct domain *domain;
    unsigned intid;
    struct console_port port;
    spinlock_t lock;  /* RANK_VPL011: all below; in and out are also read without it */
    uint32_t in, out; /* run freely */
    uint16_t ris, imsc;
    bool line; /* the interrupt's level */
    uint16_t dmacr;
    uint16_t kept[NR_KEPT];
    char fifo[FIFO_SIZE];
};

static void update_line(struct vpl011 *u) {
    bool line = u->ris & u->imsc;

    ASSERT(spin_is_held(&u->lock));
    if (line == u->line)
        return;
    u->line = line;
    vgic_set_level(u->domain, NULL, u->intid, line);
}

/* The console's key. The receive timeout is set with it: a guest that waits for half a FIFO would
 * wait long. */
static bool key_in(void *arg, char c) {
    struct vpl011 *u = arg;
    bool room;

    spin_lock(&u->lock);
    room = u->in - u->out < FIFO_SIZE;
    if (room) {
        u->fifo[u->in % FIFO_SIZE] = c;
        WRITE_ONCE(u->in, u->in + 1);
        u->ris |= INT_RX | INT_RX_TIMEOUT;
        update_line(u);
    }
    spin_unlock(&u->lock);
    return room;
}

static uint32_t read_data(struct vpl011 *u) {
    bool was_full;
    uint8_t c = 0;

    spin_lock(&u->lock);
    was_full = u->in - u->out == FIFO_SIZE;
    if (u->in != u->out) {
        c = (uint8_t)u->fifo[u->out % FIFO_SIZE];
        WRITE_ONCE(u->out, u->out + 1);
    }
    if (u->in == u->out) {
        u->ris &= (uint16_t) ~(INT_RX | INT_RX_TIMEOUT);
        update_line(u);
    }
    spin_unlock(&u->lock);
    if (was_full)
        console_retry(&u->port);
    return c;
}

/*
 * The transmit FIFO is empty again at once, which is when the transmit interrupt comes, unless the
 * console lags behind: then it comes with room_again().
 */
static void write_data(struct vpl011 *u, char c) {
    guest_console_write(&u->port, &c, 1);
    if ((READ_ONCE(u->ris) & INT_TX) && !console_port_full(&u->port))
        return;
    spin_lock(&u->lock);
    if (console_port_full(&u->port))
        u->ris &= (uint16_t)~INT_TX;
    else
        u->ris |= INT_TX;
    update_line(u);
    spin_unlock(&u->lock);
}

static void room_again(void *arg) {
    struct vpl011 *u = arg;

    spin_lock(&u->lock);
    u->ris |= INT_TX;
    update_line(u);
    spin_unlock(&u->lock);
}

static uint32_t flags(const struct vpl011 *u) {
    uint32_t n = READ_ONCE(u->in) - READ_ONCE(u->out);

    return (uint32_t)((console_port_full(&u->port) ? FR_TXFF | FR_BUSY : FR_TXFE) |
                      (n == 0 ? FR_RXFE : 0) | (n >= FIFO_SIZE ? FR_RXFF : 0));
}

static uint32_t reg_read(struct vpl011 *u, unsigned at) {
    switch (at) {
    case UARTFR:
        return flags(u);
    case UARTDR:
        return read_data(u);
    case UARTILPR ... UARTIFLS:
        return READ_ONCE(u->kept[(at - UARTILPR) / 4]);
    case UARTIMSC:
        return READ_ONCE(u->imsc);
    case UARTRIS:
        return READ_ONCE(u->ris);
    case UARTMIS:
        return (uint32_t)READ_ONCE(u->ris) & READ_ONCE(u->imsc);
    case UARTDMACR:
        return READ_ONCE(u->dmacr);
    case UARTPERIPHID0 ... UARTPERIPHID0 + 0x1c:
        return ids[(at - UARTPERIPHID0) / 4];
    default:
        return 0;
    }
}

static void write_mask(struct vpl011 *u, uint32_t val) {
    spin_lock(&u->lock);
    u->imsc = (uint16_t)(val & INT_ALL);
    update_line(u);
    spin_unlock(&u->lock);
}

static void write_clear(struct vpl011 *u, uint32_t val) {
    spin_lock(&u->lock);
    u->ris &= (uint16_t)~val;
    update_line(u);
    spin_unlock(&u->lock);
}

static void reg_write(struct vpl011 *u, unsigned at, uint32_t val) {
    switch (at) {
    case UARTDR:
        write_data(u, (char)val);
        break;
    case UARTILPR ... UARTIFLS:
        WRITE_ONCE(u->kept[(at - UARTILPR) / 4], (uint16_t)(val & kept_mask[(at - UARTILPR) / 4]));
        break;
    case UARTIMSC:
        write_mask(u, val);
        break;
    case UARTICR:
        write_clear(u, val);
        break;
    case UARTDMACR:
        WRITE_ONCE(u->dmacr, (uint16_t)(val & 7));
        break;
    default: /* read-only and reserved ones: ignored */
        break;
    }
}

/* Registers are words; narrower accesses reach their low bits, as on the real one. */
static bool vpl011_mmio(struct vcpu *v, void *arg, struct mmio_access *a) {
    (void)v;
    if (likely(a->offset == UARTFR && a->size == 4 && !a->write)) { /* what a driver polls */
        a->value = flags(arg);
        return true;
    }
    if (a->size > 4 || (a->offset & 3))
        return false;
    if (a->write)
        reg_write(arg, (unsigned)a->offset, (uint32_t)a->value);
    else
        a->value = reg_read(arg, (unsigned)a->offset) & GENMASK(8 * a->size - 1, 0);
    return true;
}

int vpl011_init(struct domain *d, unsigned intid) {
    struct vpl011 *u = hv_zalloc(sizeof(*u));
    int err;

    if (!u)
        return -ENOMEM;
    u->domain = d;
    u->intid = intid;
    spin_lock_init(&u->lock, RANK_VPL011, "vpl011");
    memcpy(u->kept, kept_reset, sizeof(u->kept));
    err = mmio_register(&d->mmio, ipaddr(GUEST_PL011_BASE), GUEST_PL011_SIZE, vpl011_mmio, u,
                        "vpl011");
    if (err) {
        hv_free(u);
        return err;
    }
    hv_strlcpy(u->port.name, d->name, sizeof(u->port.name));
    hv_snprintf(u->port.prefix, sizeof(u->port.prefix), "(d%u) ", d->id);
    u->port.input = key_in;
    u->port.room = room_again;
    u->port.arg = u;
    console_add_port(&u->port);
    d->vpl011 = u;
    return 0;
}

void vpl011_destroy(struct domain *d) {
    struct vpl011 *u = d->vpl011;

    if (!u)
        return;
    console_remove_port(&u->port);
    d->vpl011 = NULL;
    hv_free(u);
}
