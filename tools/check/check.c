/*
 * holdfast-check: starts the machine that a finished device tree describes, on paper. The reading,
 * checking and building of domains is the hypervisor's own code; its messages are what it would
 * print.
 *
 *   holdfast-check TREE ADDRESS HOLDFAST-ADDRESS HOLDFAST-SIZE [ADDRESS FILE]...
 *
 * TREE is at ADDRESS. The exit status is 0 when every domain would start and there was no error.
 */
#include "check.h"

#include <hv/errno.h>
#include <hv/fdt.h>
#include <hv/guest_sched.h>
#include <hv/guests.h>
#include <hv/image.h>
#include <hv/mm.h>
#include <hv/passthrough.h>
#include <hv/pci.h>
#include <hv/printk.h>
#include <hv/static_mem.h>

#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../common/mm/boot_mem.h"
#include "../../tests/fake/host_string.h"

bool printk_panicking;
static unsigned nr_errors;

void vprintk(const char *fmt, va_list ap) {
    char line[512];

    vsnprintf(line, sizeof(line), fmt, ap);
    nr_errors += !strncmp(line, "error: ", 7);
    printf("(HF) %s", line);
}
void printk(const char *fmt, ...) {
    va_list ap;

    va_start(ap, fmt);
    vprintk(fmt, ap);
    va_end(ap);
}
void panic(const char *fmt, ...) {
    va_list ap;

    va_start(ap, fmt);
    printf("(HF) panic: ");
    vprintf(fmt, ap);
    printf("\n");
    va_end(ap);
    exit(1);
}
static void __attribute__((noreturn)) give_up(const char *what, const char *name) {
    fprintf(stderr, "holdfast-check: error: %s %s\n", name, what);
    exit(2);
}

/* The whole file, with zeros after it for what is read by words. */
static void *read_file(const char *name, uint64_t *size) {
    FILE *f = fopen(name, "rb");
    long length;
    void *bytes;

    if (!f || fseek(f, 0, SEEK_END) || (length = ftell(f)) < 0 || fseek(f, 0, SEEK_SET))
        give_up("cannot be read", name);
    bytes = calloc(1, (size_t)length + 64);
    if (!bytes || fread(bytes, 1, (size_t)length, f) != (size_t)length)
        give_up("cannot be read", name);
    fclose(f);
    *size = (uint64_t)length;
    return bytes;
}

static uint64_t number(const char *s) {
    char *end;
    uint64_t n = strtoull(s, &end, 0);

    if (!*s || *end)
        give_up("is no number", s);
    return n;
}

static void range(uint64_t start, uint64_t end, const char *what, const char *name) {
    printf("  0x%010llx..0x%010llx %8llu KiB  %s%s%s\n", (unsigned long long)start,
           (unsigned long long)end - 1, (unsigned long long)(end - start) >> 10, what,
           *name ? " " : "", name);
}

static void print_memory(uint64_t tree, const void *fdt, uint64_t hv, uint64_t hv_size,
                         char *const *modules) {
    struct mem_range r;
    paddr_t start;
    uint64_t size;

    printf("\nMemory of the machine\n");
    for (unsigned i = 0; boot_mem_bank(i, &start, &size); i++)
        range(start.pa, start.pa + size, "bank of RAM", "");
    range(hv, hv + hv_size, "Holdfast", "");
    range(tree, tree + fdt_totalsize(fdt), "device tree", "");
    for (; *modules; modules += 2) {
        free(read_file(modules[1], &size));
        range(number(modules[0]), number(modules[0]) + size, "module", modules[1]);
    }
    for (unsigned i = 0; boot_mem_free_range(i, &r); i++)
        range(r.start, r.end, "free", "");
    printf("  about %llu MiB left when all domains are built\n",
           (unsigned long long)heap_free_pages() >> 8);
}

static void print_given(const struct domain *d) {
    struct given g;

    for (unsigned i = 0; world_given(i, &g); i++) {
        if (g.d != d)
            continue;
        switch (g.kind) {
        case GIVEN_RAM:
            range(g.guest, g.guest + g.size, "RAM",
                  d->pages.direct_map ? "of its own address" : "");
            break;
        case GIVEN_REGISTERS:
            printf("  0x%010llx..0x%010llx %8llu KiB  registers of 0x%llx\n",
                   (unsigned long long)g.guest, (unsigned long long)(g.guest + g.size - 1),
                   (unsigned long long)g.size >> 10, (unsigned long long)g.host);
            break;
        case GIVEN_INTERRUPT:
            printf("  SPI %llu (INTID %llu)\n", (unsigned long long)g.host - 32,
                   (unsigned long long)g.host);
            break;
        case GIVEN_STREAMS:
            printf("  DMA streams 0x%llx..0x%llx of %s\n", (unsigned long long)g.host,
                   (unsigned long long)(g.host + g.size - 1), g.what);
            break;
        }
    }
}

int main(int argc, char **argv) {
    uint64_t size, tree, hv, hv_size, file_size;
    const void *fdt;
    const struct domain *d;
    unsigned wanted = 0;
    int node, chosen;

    if (argc < 5 || argc % 2 == 0)
        give_up("TREE ADDRESS HOLDFAST-ADDRESS HOLDFAST-SIZE [ADDRESS FILE]...", "usage:");
    fdt = read_file(argv[1], &size);
    if (fdt_validate(fdt, size))
        give_up("is not a device tree that Holdfast takes", argv[1]);
    tree = number(argv[2]);
    hv = number(argv[3]);
    hv_size = number(argv[4]);
    for (int i = 5; i < argc; i += 2) {
        void *bytes = read_file(argv[i + 1], &file_size);

        if (!world_add_file(number(argv[i]), bytes, file_size))
            give_up("overlaps another file", argv[i + 1]);
    }
    check_words(fdt);
    world_init(fdt);
    boot_mem_from_fdt(fdt, paddr(tree), paddr(hv), hv_size);
    static_heap_init(fdt);
    guests_init(fdt);
    world_take_overhead();
    pci_init(fdt);
    passthrough_init(fdt);
    cpupools_from_fdt(fdt);
    guests_start();

    chosen = fdt_path_offset(fdt, "/chosen");
    if (chosen >= 0)
        fdt_for_each_subnode(node, fdt, chosen) wanted +=
            fdt_compatible(fdt, node, "xen,domain") && fdt_enabled(fdt, node);
    print_memory(tree, fdt, hv, hv_size, argv + 5);
    for (unsigned i = 0; (d = world_domain(i)); i++, wanted--) {
        printf("\nd%u: %s\n", d->id, d->name);
        print_given(d);
    }
    return wanted || nr_errors ? 1 : 0;
}
