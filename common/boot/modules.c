/* Boot modules: checked once against RAM, reserved memory and each other, then reserved for ever.
 */
#include <hv/bits.h>
#include <hv/mm.h>
#include <hv/modules.h>

static struct boot_module claimed[MODULES_MAX];
static unsigned nr_claimed;

bool modules_overlap(const struct boot_module *a, const struct boot_module *b) {
    return a->size && b->size && a->start <= b->start + b->size - 1 &&
           b->start <= a->start + a->size - 1;
}

/* NULL when nobody has claimed exactly this range. */
static const struct boot_module *find_claimed(const struct boot_module *m) {
    for (unsigned i = 0; i < nr_claimed; i++)
        if (claimed[i].start == m->start && claimed[i].size == m->size)
            return &claimed[i];
    return NULL;
}

bool modules_touch(const struct boot_module *m) {
    for (unsigned i = 0; i < nr_claimed; i++)
        if (modules_overlap(m, &claimed[i]))
            return true;
    return false;
}

struct boot_module module_pages_from(uint64_t from) {
    struct boot_module first = {UINT64_MAX, 0};

    for (unsigned i = 0; i < nr_claimed; i++) {
        uint64_t end = ALIGN_UP(claimed[i].start + claimed[i].size, PAGE_SIZE);
        uint64_t start = MAX(ALIGN_DOWN(claimed[i].start, PAGE_SIZE), from);

        if (start < end && start < first.start)
            first = (struct boot_module){start, end - start};
    }
    return first;
}

const char *module_check(const struct boot_module *m) {
    if (!m->size)
        return "expected a size, got 0";
    if (!boot_mem_is_ram(paddr(m->start), m->size))
        return "expected a module in RAM";
    if (find_claimed(m))
        return NULL;
    if (modules_touch(m))
        return "overlaps another module";
    if (boot_mem_is_reserved(paddr(m->start), m->size))
        return "overlaps reserved memory";
    return NULL;
}

const char *module_claim(const struct boot_module *m) {
    if (find_claimed(m))
        return NULL;
    if (nr_claimed == MODULES_MAX)
        return "too many modules";
    if (boot_mem_reserve(paddr(m->start), m->size))
        return "too many reserved ranges";
    claimed[nr_claimed++] = *m;
    return NULL;
}
