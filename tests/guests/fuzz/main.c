/*
 * A guest that does what comes to its mind: hypercalls with arguments at random, loads and stores at
 * devices and at nothing, system registers and instructions, HVC and SMC, and copies by a device when
 * it has one. What it does follows from the seed in its image's header; with seed 0 it is the
 * neighbour, who computes a checksum of its memory again and again. It spares only itself: what would
 * end it or take its code away is left out, and should it stand still all the same, a watchdog of its
 * domain ends it.
 */
#include "../selftest/evtchn.h"

/* QEMU's edu device, in slot 2 of its own PCI bus. */
#define EDU_CONFIG 0x10010000UL
#define EDU_BAR 0x23000000UL
#define EDU_BUFFER 0x40000
#define OPERATIONS 30000
#define REPORT 5000
#define WATCHDOG_SECONDS 2
#define HYPERCALL_TAG 0xea1u

struct vcpu_info vcpu_infos[MAX_CPUS];
bool registered[MAX_CPUS];

static uint64_t state;

static uint64_t next(void) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return state * 0x2545f4914f6cdd1d;
}
static uint64_t below(uint64_t n) {
    return (next() >> 16) % n;
}

/* Structures for hypercalls, with what may be written behind them; pages that may be given away. */
static uint64_t room[4096] __attribute__((aligned(4096)));
#define ROOM_USED 512
#define VICTIM_GFN ((RAM + 0x2000000UL) >> 12)
#define NR_VICTIMS 64

static uint64_t some_frame(void) {
    return (below(4) ? VICTIM_GFN : HOLE_GFN(0)) + below(NR_VICTIMS);
}

/* Small, at an edge, a frame, an address, a domain, or anything. */
static uint64_t some_number(void) {
    uint64_t bit;

    switch (below(8)) {
    case 0:
    case 1:
        return below(16);
    case 2:
        bit = below(64);
        return bit == 18 || bit == 30 ? bit : BIT(bit) - below(2); /* where this guest is */
    case 3:
        return some_frame();
    case 4:
        return some_frame() << 12 | (below(2) ? 0 : below(4096));
    case 5:
        return (uint64_t)&room[below(ROOM_USED)];
    case 6:
        return below(2) ? DOMID_SELF : below(4);
    default:
        return next();
    }
}

/*
 * No address and no frame of this guest's own code and data but `room`, where a call may write; for
 * calls that change what is mapped (`any`) not that either.
 */
static uint64_t spared(uint64_t value, bool any) {
    extern char bss_end[];
    uint64_t first = (uint64_t)room, own = (uint64_t)bss_end - RAM;

    if ((value >> 12) - (RAM >> 12) <= own >> 12 && (any || value - first >= sizeof(room)))
        return any ? VICTIM_GFN << 12 : first;
    return value - (RAM >> 12) <= own >> 12 ? VICTIM_GFN : value;
}
static uint64_t some_argument(void) {
    return spared(some_number(), false);
}

/* Half of it in pairs of 32 bits and domain numbers, as structures have them. */
static void fill_room(bool any) {
    for (unsigned i = 0; i < 32; i++)
        room[i] = below(2) ? some_number()
                           : (some_number() & 0xffffffff) << 32 | (some_number() & 0xffffffff);
    for (unsigned i = 0; i < 4; i++)
        ((uint16_t *)room)[below(64)] = (uint16_t)(below(2) ? DOMID_SELF : below(4));
    room[1] %= 64; /* extents: a list through all of memory is allowed, and takes its time */
    for (unsigned i = 0; i < 32; i++)
        room[i] = spared(room[i], any);
}

/* The one that would end this guest, or let it wait for ever, yields instead. */
static uint64_t tame(uint64_t nr, uint64_t cmd) {
    return nr == __HYPERVISOR_sched_op ? SCHEDOP_yield : cmd;
}

static uint64_t some_call(void) {
    static const uint8_t known[] = {
        __HYPERVISOR_memory_op,    __HYPERVISOR_xen_version,      __HYPERVISOR_console_io,
        __HYPERVISOR_vcpu_op,      __HYPERVISOR_event_channel_op, __HYPERVISOR_grant_table_op,
        __HYPERVISOR_hvm_op,       __HYPERVISOR_sched_op,         __HYPERVISOR_vm_assist,
        __HYPERVISOR_physdev_op,   __HYPERVISOR_event_channel_op, __HYPERVISOR_grant_table_op,
        __HYPERVISOR_memory_op,
    };

    return below(16) ? known[below(COUNT(known))] : next();
}

/* What random numbers seldom get past: the right domain, a list of frames, a known space. */
static void shape(uint64_t nr, uint64_t cmd) {
    uint16_t *half = (uint16_t *)room;
    uint32_t *word = (uint32_t *)room;

    half[0] = DOMID_SELF;
    if (nr != __HYPERVISOR_memory_op)
        return;
    if (cmd == XENMEM_populate_physmap || cmd == XENMEM_decrease_reservation) {
        room[0] = (uint64_t)&room[16];
        room[1] = below(8);
        word[4] = below(3) ? 0 : (uint32_t)below(10);
        half[12] = DOMID_SELF;
        for (unsigned i = 16; i < 24; i++)
            room[i] = some_frame();
    } else if (cmd == XENMEM_add_to_physmap || cmd == XENMEM_remove_from_physmap) {
        word[1] = (uint32_t)below(6);
        room[1] = cmd == XENMEM_add_to_physmap ? below(4) : some_frame();
        room[2] = some_frame();
    }
}

static void call_once(void) {
    uint64_t nr = some_call(), cmd = below(32);

    fill_room(nr == __HYPERVISOR_grant_table_op);
    if (below(2))
        shape(nr, cmd);
    if (nr == __HYPERVISOR_multicall)
        return;
    if (nr == __HYPERVISOR_grant_table_op)
        xen_call(nr, cmd % 16, (uint64_t)room, below(8) ? 1 + below(4) : below(2) << 31);
    else if (nr == __HYPERVISOR_vcpu_op)
        xen_call(nr, cmd, below(3), below(4) ? (uint64_t)room : some_argument());
    else if (nr == __HYPERVISOR_console_io)
        xen_call(nr, cmd % 4 + 1, some_argument(), some_argument()); /* all but write: the log is long */
    else
        xen_call(nr, tame(nr, cmd), below(4) ? (uint64_t)room : some_argument(), some_argument());
}

static void call_many(void) {
    static multicall_entry_t list[8];

    fill_room(true);
    for (unsigned i = 0; i < COUNT(list); i++) {
        uint64_t nr = some_call();

        if (nr == __HYPERVISOR_console_io)
            nr = __HYPERVISOR_multicall;
        list[i].op = nr;
        list[i].args[0] = tame(nr, below(16));
        list[i].args[1] = below(4) ? (uint64_t)room : some_argument();
        list[i].args[2] = below(4) ? 1 : below(8);
    }
    multicall(list, below(16) ? below(COUNT(list) + 1) : COUNT(list));
}

/* Not the console's data register: all the rest of the emulated devices, and where nothing is. */
static uint64_t some_device(void) {
    switch (below(4)) {
    case 0:
        return GICD + below(0x10000);
    case 1:
        return GICR + below(0x60000);
    case 2:
        return VPL011 + 4 + below(0xffc);
    default:
        return NOTHING + below(0x1000000);
    }
}

static void access(void) {
    uint64_t at = some_device() & ~(below(8) ? 7UL : 0), value = some_number();

    switch (below(8)) {
    case 0:
        TRY(read8(at));
        break;
    case 1:
        TRY(read16(at));
        break;
    case 2:
    case 3:
        TRY(read32(at));
        break;
    case 4:
        TRY(read64(at));
        break;
    case 5:
        TRY(write8(at, value));
        break;
    case 6:
        TRY(write32(at, value));
        break;
    default:
        TRY(write64(at, value));
    }
}

/*
 * A read of any register. A write of those of debug, performance monitors, timers, and of what belongs to
 * the hypervisor and to firmware; not of those that this guest stands on.
 */
#ifdef __aarch64__
#define HVC(tag) (0xd4000002 | (tag) << 5)
#define SMC(tag) (0xd4000003 | (tag) << 5)
static uint32_t some_register(void) {
    uint32_t read = (uint32_t)below(2), op0 = 2 + (uint32_t)below(2), op1 = (uint32_t)below(8);
    uint32_t crn = (uint32_t)below(16), rest = (uint32_t)below(128) << 5;

    if (!read && op0 == 3 && op1 < 4 && crn != 9 && crn != 11 && crn != 14 && crn != 15)
        crn = 9;
    return 0xd5000000 | read << 21 | op0 << 19 | op1 << 16 | crn << 12 | rest;
}
#else
#define HVC(tag) (0xe1400070 | ((tag) >> 4) << 8 | ((tag) & 15))
#define SMC(tag) (0xe1600070 | ((tag) & 15))
static uint32_t some_register(void) {
    uint32_t read = (uint32_t)below(2), cp = 14 + (uint32_t)below(2), crn = (uint32_t)below(16);
    uint32_t crm = (uint32_t)below(16), op1 = (uint32_t)below(8), op2 = (uint32_t)below(8);

    if (!below(8)) /* of 64 bits */
        return 0xec410000 | read << 20 | cp << 8 | op1 << 4 | (read || cp == 14 ? crm : 14);
    if (!read && cp == 15 && crn != 9 && crn != 11 && crn != 14 && crn != 15)
        crn = 9;
    return 0xee000010 | read << 20 | op1 << 21 | crn << 16 | cp << 8 | op2 << 5 | crm;
}
#endif

static void system_register(void) {
    uint64_t r[4] = {some_number(), 0, 0, 0};

    TRY(run_word(some_register(), r));
}

/* HVC and SMC with any number; not those that stop this guest or its CPU. */
static void firmware(void) {
    uint64_t r[4] = {below(2) ? 0x84000000 + below(0x40) : 0xc4000000 + below(0x40),
                     some_argument(), some_argument(), some_argument()};
    uint32_t id = r[0] & 0x3f, tag = below(2) ? HYPERCALL_TAG : 0;

    if (id == 1 || id == 2 || id == 3 || id == 8 || id == 9 || id == 12 || id == 14 || id == 18)
        r[0] = below(2) ? 0x80000000 + below(3) : some_number() << 32;
    if (tag)
        r[2] = below(8); /* how many of something, maybe; the number is that of the last hypercall */
    TRY(run_word(below(2) ? HVC(tag) : SMC(tag), r));
}

/*
 * The device copies between its buffer and some page, while this goes on. What was done to its
 * configuration space meanwhile is put right first.
 */
static uint64_t copies;

static void copy_once(void) {
    uint64_t at = some_argument(), size = 1 + below(4096 - at % 4096);
    uint64_t in_buffer = EDU_BUFFER + below(4097 - size);
    uint64_t busy = 1;
    bool store = below(2);

    TRY(write32(EDU_CONFIG + 0x10, EDU_BAR));
    TRY(write32(EDU_CONFIG + 4, 6)); /* its memory, and DMA */
    TRY(busy = read64(EDU_BAR + 0x98));
    if (busy & 1)
        return;
    TRY(write64(EDU_BAR + 0x80, store ? in_buffer : at));
    TRY(write64(EDU_BAR + 0x88, store ? at : in_buffer));
    TRY(write64(EDU_BAR + 0x90, size));
    TRY(write64(EDU_BAR + 0x98, store ? 3 : 1));
    copies++;
}

/* The domain ends when it has not asked for so many seconds more for so long. */
static void watch(void) {
    static struct sched_watchdog dog;

    dog.timeout = WATCHDOG_SECONDS;
    if (sched_op(SCHEDOP_watchdog, &dog) > 0)
        dog.id = 1;
}

static void misbehave(void) {
    bool has_device = PARAMETER(1);
    uint64_t memory = (uint64_t)question(XENMEM_current_reservation);

    for (unsigned i = 1; i <= OPERATIONS; i++) {
        if (i % 16 == 1)
            watch();
        if (has_device && i % 16 == 8)
            copy_once();
        switch (below(8)) {
        case 0:
        case 1:
        case 2:
            call_once();
            break;
        case 3:
            call_many();
            break;
        case 4:
        case 5:
            access();
            break;
        case 6:
            system_register();
            break;
        default:
            firmware();
        }
        if (i % REPORT == 0)
            print("fuzz: %lu operations, %lu of %lu pages, %lu copies\n", (uint64_t)i,
                  (uint64_t)question(XENMEM_current_reservation), memory, copies);
    }
    print("fuzz: done\n");
}

/* ---- the neighbour ---- */

#define WORDS 65536
#define UARTFR 0x18
#define UARTFR_RXFE 0x10
static uint64_t *const mine = (uint64_t *)(RAM + 0x2000000UL);

static uint64_t checksum(void) {
    uint64_t sum = 14695981039346656037UL;

    for (unsigned i = 0; i < WORDS; i++)
        sum = (sum ^ mine[i]) * 1099511628211UL;
    return sum;
}

/* Until somebody types. */
static void compute(void) {
    uint64_t first, checks = 0;

    state = 1;
    for (unsigned i = 0; i < WORDS; i++)
        mine[i] = next();
    first = checksum();
    print("neighbour: begins\n");
    while (read32(VPL011 + UARTFR) & UARTFR_RXFE) {
        EQ(checksum(), first);
        checks++;
    }
    print("neighbour: %s after %lu checks\n", verdict_end("FAIL", "checksum") ? "well" : "hurt", checks);
}

void cpu_main(uint64_t number);
void cpu_main(uint64_t number) {
    sysreg_write(tpidr_el1, number);
    gic_probe();
    nr_cpus = 1;
    gic_init_cpu();
    gic_reset();
    state = PARAMETER(0);
    if (state)
        misbehave();
    else
        compute();
    hvc(PSCI_SYSTEM_OFF, 0, 0, 0);
}
