/*
 * The command line, read by the hypervisor's own parser. Its words are asked for all over the
 * hypervisor, most of it not in this program: tests/tools compares this list with the source.
 */
#include <hv/bits.h>
#include <hv/cmdline.h>
#include <hv/fdt.h>
#include <hv/printk.h>

#include <libfdt.h>
#include <string.h>

#include "check.h"

static void check_uart(const void *fdt) {
    char word[FDT_PATH_MAX];

    if (cmdline_get("dtuart", word, sizeof(word)) &&
        fdt_path_offset_namelen(fdt, word, (int)strcspn(word, ":")) < 0)
        printk("error: dtuart %s: no such node; another console is looked for\n", word);
}

void check_words(const void *fdt) {
    static const char *const switches[] = {"audit", "iommu-coherent"};
    static const char *const numbers[] = {"audit-every", "watchdog"};

    cmdline_init(fdt_bootargs(fdt));
    for (unsigned i = 0; i < ARRAY_SIZE(switches); i++)
        cmdline_bool(switches[i], false);
    for (unsigned i = 0; i < ARRAY_SIZE(numbers); i++)
        cmdline_size(numbers[i], 0);
    cmdline_choice("iommu", "mirror", "shared");
    cmdline_choice("console", "dtuart", NULL);
    check_uart(fdt);
    cmdline_report_unknown();
}
