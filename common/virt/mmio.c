/* Emulated device registers: the ranges of a domain, and carrying out the access that trapped. */
#include <hv/bits.h>
#include <hv/domain.h>
#include <hv/errno.h>
#include <hv/mmio.h>
#include <hv/vcpu.h>

#include <asm/abort_reg.h>
#include <asm/guest_trap.h>

#define ESR_IL BIT(25)
#define ISS_ISV BIT(24)
#define ISS_SAS_SHIFT 22
#define ISS_SSE BIT(21)
#define ISS_SRT_SHIFT 16
#define ISS_SF BIT(15)
#define ISS_WNR BIT(6)

#define SPSR_AARCH32 BIT(4)
#define SPSR_THUMB BIT(5)

int mmio_register(struct mmio_map *m, ipaddr_t start, uint64_t size, mmio_handler_t h, void *arg,
                  const char *name) {
    uint64_t end = start.ipa + size;
    unsigned at = 0;

    if (!size || end < start.ipa || !IS_ALIGNED(start.ipa | size, 8))
        return -EINVAL;
    if (m->count == MMIO_MAX_RANGES)
        return -ENOSPC;
    while (at < m->count && m->range[at].end <= start.ipa)
        at++;
    if (at < m->count && m->range[at].start < end)
        return -EEXIST;
    for (unsigned i = m->count; i > at; i--)
        m->range[i] = m->range[i - 1];
    m->range[at] = (struct mmio_range){start.ipa, end, h, arg, name};
    m->count++;
    return 0;
}

const struct mmio_range *mmio_find(const struct mmio_map *m, ipaddr_t at) {
    unsigned lo = 0, hi = m->count;

    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;
        const struct mmio_range *r = &m->range[mid];

        if (at.ipa < r->start)
            hi = mid;
        else if (at.ipa >= r->end)
            lo = mid + 1;
        else
            return r;
    }
    return NULL;
}

static uint64_t mask_of(unsigned size) {
    return ~0ULL >> (64 - 8 * size);
}

static inline void access_init(struct mmio_access *a, const struct mmio_range *r, uint64_t at,
                               unsigned size, bool write, uint64_t value) {
    a->offset = at - r->start;
    a->size = (uint8_t)size;
    a->write = write;
    a->value = write ? value & mask_of(size) : 0;
}

static uint64_t sign_extend(uint64_t val, unsigned size, bool sixty_four) {
    unsigned unused = 64 - 8 * size;

    val = (uint64_t)((int64_t)(val << unused) >> unused);
    return sixty_four ? val : (uint32_t)val;
}

/* The common case, and a fast one: the syndrome says everything (Arm ARM D19.2.40). */
static bool by_syndrome(struct vcpu *v, const struct mmio_range *r, ipaddr_t ipa, uint64_t esr) {
    unsigned size = 1u << ((esr >> ISS_SAS_SHIFT) & 3), reg = (esr >> ISS_SRT_SHIFT) & 31;
    struct mmio_access a = {.offset = ipa.ipa - r->start, .size = (uint8_t)size};

    if (!IS_ALIGNED(ipa.ipa, size))
        return false;
    if (esr & ISS_WNR) {
        a.write = true;
        a.value = abort_reg_get(v->regs, reg) & mask_of(size);
    }
    if (!r->handler(v, r->arg, &a))
        return false;
    if (!(esr & ISS_WNR)) {
        a.value &= mask_of(size);
        if (unlikely(esr & ISS_SSE))
            a.value = sign_extend(a.value, size, esr & ISS_SF);
        abort_reg_set(v->regs, reg, a.value);
    }
    if (unlikely(!abort_skip_a64(v->regs)))
        vcpu_skip_instruction(v, esr & ESR_IL ? 4 : 2);
    return true;
}

static bool decode_at_pc(struct vcpu *v, struct mmio_insn *insn) {
    uint64_t spsr = v->regs->spsr;
    uint32_t word;

    if (!guest_read_insn(v, v->regs->pc, &word))
        return false;
    if (!(spsr & SPSR_AARCH32))
        return mmio_decode_a64(word, insn);
    if (!(spsr & SPSR_THUMB))
        return mmio_decode_a32(word, insn);
    return mmio_decode_t32(word, word >> 27 >= 0x1d, insn);
}

static bool is_aarch32(const struct vcpu *v) {
    return v->regs->spsr & SPSR_AARCH32;
}

static uint64_t base_get(const struct vcpu *v, unsigned n) {
    return !is_aarch32(v) && n == 31 ? vcpu_get_sp(v) : vcpu_get_reg(v, n);
}

static void base_set(struct vcpu *v, unsigned n, uint64_t val) {
    if (!is_aarch32(v) && n == 31)
        vcpu_set_sp(v, val);
    else
        vcpu_set_reg(v, n, is_aarch32(v) ? (uint32_t)val : val);
}

/* A32's shifted register (Arm ARM F2.4.3); RRX was refused by the decoder. */
static uint32_t shifted(uint32_t val, unsigned shift) {
    unsigned n = shift & 31;

    switch (shift >> 5) {
    case 0:
        return val << n;
    case 1:
        return n ? val >> n : 0;
    case 2:
        return (uint32_t)((int32_t)val >> (n ? n : 31));
    default:
        return n ? val >> n | val << (32 - n) : val;
    }
}

static void write_back(struct vcpu *v, const struct mmio_insn *insn, vaddr_t gva) {
    uint64_t base = base_get(v, insn->base);
    uint32_t by;

    switch (insn->writeback) {
    case WB_IMMEDIATE:
        base_set(v, insn->base, base + (uint64_t)(int64_t)insn->wb_offset);
        break;
    case WB_ADDRESS:
        base_set(v, insn->base, gva);
        break;
    case WB_REGISTER:
        by = shifted((uint32_t)vcpu_get_reg(v, insn->wb_reg), insn->wb_shift);
        base_set(v, insn->base, insn->wb_subtract ? base - by : base + by);
        break;
    case WB_NONE:
        break;
    }
}

/*
 * All of the access must lie in the page that faulted and begin where the fault was: the second
 * half of a pair on the next page could be anything.
 */
static bool within(const struct vcpu *v, const struct mmio_insn *insn, const struct mmio_range *r,
                   ipaddr_t ipa, vaddr_t gva) {
    unsigned bytes = (unsigned)insn->size * insn->nr_regs;
    uint64_t ea = base_get(v, insn->base) + (uint64_t)(int64_t)insn->ea_offset;

    if (!IS_ALIGNED(ipa.ipa, insn->size) || (ipa.ipa & (PAGE_SIZE - 1)) + bytes > PAGE_SIZE ||
        ipa.ipa + bytes > r->end)
        return false;
    if (is_aarch32(v))
        ea = (uint32_t)ea;
    /* the low bits: a tagged pointer's top byte is not in FAR */
    return !insn->ea_known || ((ea ^ gva) & GENMASK(47, 0) & mask_of(sizeof(vaddr_t))) == 0;
}

/* No syndrome (writeback, pairs): the instruction itself tells. Nothing changes until every part is
 * done. */
static __noinline bool by_instruction(struct vcpu *v, const struct mmio_range *r, ipaddr_t ipa,
                                      vaddr_t gva) {
    struct mmio_access a[2];
    struct mmio_insn insn;

    if (!decode_at_pc(v, &insn) || !within(v, &insn, r, ipa, gva))
        return false;
    for (unsigned i = 0; i < insn.nr_regs; i++) {
        access_init(&a[i], r, ipa.ipa + i * insn.size, insn.size, insn.write,
                    vcpu_get_reg(v, insn.reg[i]));
        if (!r->handler(v, r->arg, &a[i]))
            return false;
    }
    if (insn.writeback != WB_NONE)
        write_back(v, &insn, gva);
    for (unsigned i = 0; i < insn.nr_regs && !insn.write; i++)
        vcpu_set_reg(v, insn.reg[i],
                     insn.sign_extend ? sign_extend(a[i].value, insn.size, insn.sixty_four)
                                      : a[i].value & mask_of(insn.size));
    vcpu_skip_instruction(v, insn.insn_bytes);
    return true;
}

void mmio_handle(struct vcpu *v, ipaddr_t ipa, vaddr_t gva, uint64_t esr) {
    const struct mmio_range *r = v->mmio_last;

    /* Mostly it is the same device again, and always one of few. */
    if (unlikely(!r || ipa.ipa < r->start || ipa.ipa >= r->end)) {
        r = mmio_find(&v->domain->mmio, ipa);
        if (!r) {
            guest_data_abort(v, esr, gva);
            return;
        }
        v->mmio_last = r;
    }
    if (unlikely(!(esr & ISS_ISV ? by_syndrome(v, r, ipa, esr) : by_instruction(v, r, ipa, gva))))
        guest_data_abort(v, esr, gva);
}
