/*
 * console_io: text and keys by hypercall. Text goes to the domain's place on the screen, on lines
 * of its own; keys come only to a domain that has no other console.
 */
#include <hv/bits.h>
#include <hv/domain.h>
#include <hv/errno.h>
#include <hv/guest_console.h>
#include <hv/guest_copy.h>
#include <hv/hypercall.h>
#include <hv/printk.h>
#include <hv/string.h>
#include <hv/xen_abi.h>

#include "abi.h"

#define CHUNK 128u /* at once, on the vCPU's stack */

static bool key_in(void *arg, char c) {
    struct console_io *io = arg;
    bool room;

    spin_lock(&io->lock);
    room = io->in - io->out < CONSOLE_IO_KEYS;
    if (room)
        io->keys[io->in++ % CONSOLE_IO_KEYS] = c;
    spin_unlock(&io->lock);
    return room;
}

static size_t take_keys(struct console_io *io, char *to, size_t max) {
    size_t n;

    spin_lock(&io->lock);
    for (n = 0; n < max && io->in != io->out; n++)
        to[n] = io->keys[io->out++ % CONSOLE_IO_KEYS];
    spin_unlock(&io->lock);
    if (n)
        console_retry(&io->port);
    return n;
}

static int64_t op_write(struct vcpu *v, vaddr_t from, uint32_t count) {
    char text[CHUNK];

    while (count && !abi_pause_or_stop(v)) {
        uint32_t n = MIN(count, CHUNK);

        if (copy_from_guest(text, from, n))
            return -EFAULT;
        guest_console_write(&v->domain->abi->console_io.port, text, n);
        from += n;
        count -= n;
        preempt_point();
    }
    return 0;
}

/* What cannot be put there is lost with the call, as a key pressed at a dead terminal is. */
static int64_t op_read(struct vcpu *v, vaddr_t to, uint32_t count) {
    char keys[CHUNK];
    size_t n;

    if (count > INT32_MAX)
        return -E2BIG;
    n = take_keys(&v->domain->abi->console_io, keys, MIN(count, CHUNK));
    return copy_to_guest(to, keys, n) ? -EFAULT : (int64_t)n;
}

int64_t do_console_io(struct vcpu *v, const uint64_t *args) {
    uint32_t count = (uint32_t)args[1];
    vaddr_t buffer = (vaddr_t)args[2];

    switch ((uint32_t)args[0]) {
    case CONSOLEIO_write:
        return op_write(v, buffer, count);
    case CONSOLEIO_read:
        return op_read(v, buffer, count);
    default:
        return -ENOSYS;
    }
}

void console_io_init(struct domain *d) {
    struct console_io *io = &d->abi->console_io;

    spin_lock_init(&io->lock, RANK_VPL011, "console_io");
    list_init(&io->port.link);
    hv_strlcpy(io->port.name, d->name, sizeof(io->port.name));
    hv_snprintf(io->port.prefix, sizeof(io->port.prefix), "(d%u) ", d->id);
    io->port.input = key_in;
    io->port.arg = io;
}

void abi_console_keys(struct domain *d) {
    console_add_port(&d->abi->console_io.port);
}

void console_io_destroy(struct domain *d) {
    console_remove_port(&d->abi->console_io.port);
}
