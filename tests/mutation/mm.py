#!/usr/bin/env python3
"""Breaks common/mm in many small ways and shows that some unit test fails for each.

Each mutant is one file with one text replaced, in a copy of the tree's sources; the tests named
below are built against it and run. A mutant that no test notices is a hole in the tests: exit 1.
"""

import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CFLAGS = (
    "-std=gnu11 -g -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -DHF_HOST_TEST=1 "
    "-DHF_DEBUG=1 -w -Itests/fake/include -Itests/unit -Iinclude -Iarch/arm64/include -Iarch/arm/include "
    "-isystem build/include"
).split()
# In the order of what finds most, soonest.
TESTS = [
    "test_type_info",
    "test_p2m_tracking",
    "test_p2m_ram",
    "test_p2m_shape",
    "test_p2m_model",
    "test_static_mem",
    "test_page_alloc",
    "test_pt",
    "test_slab",
    "test_boot_mem",
]

# (file, what is there, what takes its place)
MUTANTS = [
    # type_info: masks and counts
    ("include/hv/type_info.h", "(((type_info_t)1 << PGT_GFN_BITS) - 1)", "(((type_info_t)1 << (PGT_GFN_BITS - 1)) - 1)"),
    ("include/hv/type_info.h", "return (t & ~PGT_GFN_MASK) | type_info_gfn_field(g);", "return t | type_info_gfn_field(g);"),
    ("include/hv/type_info.h", "return (t & ~PGT_GFN_MASK) | type_info_gfn_field(g);", "return type_info_gfn_field(g);"),
    ("include/hv/type_info.h", "*out = (t & PGT_COUNT_MASK) ? t : t & ~PGT_TYPE_MASK;", "*out = t;"),
    ("include/hv/type_info.h", "if ((t & PGT_COUNT_MASK) == PGT_COUNT_MASK)", "if (0)"),
    # the compare in the exchange of the GFN
    ("include/hv/page.h", "if (unlikely((old & PGT_GFN_MASK) != type_info_gfn_field(expected)))", "if (0)"),
    # references
    ("include/hv/page.h", "if (unlikely(!refs || refs == PGC_COUNT_MASK))", "if (!refs)"),
    ("include/hv/page.h", "if (unlikely(!refs || refs == PGC_COUNT_MASK))", "if (refs == PGC_COUNT_MASK)"),
    ("include/hv/page.h", "if (likely(page->u.owner == owner))", "if (1)"),
    ("common/mm/page_ref.c", "if (type_info_has_gfn(page->type_info))", "if (0)"),
    ("common/mm/page_ref.c", "        page_list_del(&owner->pages, page);\n        owner->tot_pages--;", "        page_list_del(&owner->pages, page);"),
    ("common/mm/page_ref.c", "owner->xenheap_pages--;", ""),
    ("common/mm/page_ref.c", "    page->count_info = 0;\n    heap_free(page, 0);", "    heap_free(page, 0);"),
    # owners
    ("common/mm/page_owner.c", "owner->tot_pages <= owner->max_pages - nr", "owner->tot_pages < owner->max_pages + nr"),
    ("common/mm/page_owner.c", "if (!owner->dying && nr <=", "if (nr <="),
    ("common/mm/page_owner.c", "page->type_info = PGT_TYPE_INFO_INITIALIZER;\n    page->u.owner = owner;", "page->u.owner = owner;"),
    ("common/mm/page_owner.c", "owner->tot_pages -= nr;", ""),
    ("common/mm/page_owner.c", "    l->tail = page_link(last);\n}", "}"),
    ("common/mm/page_owner.c", "        park_locked(owner, page);\n", ""),
    # static memory
    ("common/mm/page_owner.c", "        static_reserve_locked(owner, page + i, j - i);\n", ""),
    ("common/mm/page_owner.c", "        heap_free_run(page + i, j - i);\n", "        heap_free_run(page + i, nr - i);\n"),
    ("common/mm/page_ref.c", "        if (to_reserve)\n            static_reserve_locked(owner, page, 1);\n", ""),
    ("common/mm/static_mem.c", "page[i].u.owner = forget ? NULL : owner;", "page[i].u.owner = owner;"),
    ("common/mm/static_mem.c", "        if (!forget)\n            page_list", "            page_list"),
    ("common/mm/static_mem.c", "            return -EBUSY;", "            break;"),
    ("common/mm/static_mem.c", "mfn_to_page(m)->u.owner == owner", "true"),
    ("common/mm/static_mem.c", "mfn_to_page(m)->count_info == PGC_static &&", ""),
    ("common/mm/static_mem.c", "        if (!is_run(page, *order))\n            *order = 0;\n", ""),
    ("common/mm/static_mem.c", "        page->u.owner = NULL;\n", ""),
    ("common/mm/p2m_populate.c", "        static_reserve(owner, page, 1ULL << order);\n", "        ;\n"),
    # heap
    ("common/mm/heap.c", "if (order >= SECTION_ORDER && !fresh_is_formatted(n))", "if (0)"),
    ("common/mm/heap.c", "return page->count_info == PGC_free && page->u.block.order == order;", "return page->count_info == PGC_free;"),
    ("common/mm/heap.c", "    page->count_info = 0;\n", ""),
    ("common/mm/heap.c", "struct dirty d = {0, 1u << order};", "struct dirty d = {0, 0};"),
    ("common/mm/heap.c", "half + upper.first : lower.first, half + upper.end", "upper.first : lower.first, upper.end"),
    ("common/mm/heap.c", "        return lower;\n    return", "        return lower;\n    if (1)\n        return upper;\n    return"),
    ("common/mm/heap.c", "{MIN(d.first, half), MIN(d.end, half)}", "{MIN(d.first, half), MIN(d.end, half / 2)}"),
    ("common/mm/heap.c", "{MAX(d.first, half) - half, MAX(d.end, half) - half}", "{0, half}"),
    ("common/mm/heap.c", "clear(page + d.first++)", "clear(page + ++d.first)"),
    ("common/mm/heap.c", "            page_list_push(l, page);\n", "            page_list_append(l, page);\n"),
    ("common/mm/heap.c", "    if (is_clean(d))\n        page_list_push", "    if (1)\n        page_list_push"),
    ("common/mm/p2m_populate.c", "clear_memory(va, PAGE_SIZE);\n    mapwin", "mapwin"),
    ("common/mm/heap.c", "while (have-- > order)", "while (--have > order)"),
    ("common/mm/heap.c", "        order = MIN(order, ffs64(first));", ""),
    ("common/mm/heap.c", "free_pages -= 1ULL << order;", ""),
    ("common/mm/fresh.c", "    clear_range(frame_table + first, SECTION_PAGES * sizeof(struct page_info));\n", ""),
    ("common/mm/fresh.c", "        if (from >= to) {\n            i++;\n            continue;\n        }", "        if (from >= to) {\n            break;\n        }"),
    ("common/mm/fresh.c", "nr_fresh_pages -= to - from;", ""),
    ("common/mm/xenheap.c", "page[i].type_info = PGT_TYPE_INFO_INITIALIZER;", ""),
    ("common/mm/xenheap.c", "i < 1ULL << order; i++) {\n        /*", "i < 1; i++) {\n        /*"),
    # page tables
    ("common/mm/pt.c", "return whole && leaf_ok ? PT_WRITE : PT_ADD_TABLE;", "return leaf_ok ? PT_WRITE : PT_ADD_TABLE;"),
    ("common/mm/pt.c", "return whole ? PT_CLEAR : PT_SPLIT;", "return PT_CLEAR;"),
    ("common/mm/pt.c", "return whole && !keep_tables ? PT_UNLINK : PT_DESCEND;", "return PT_DESCEND;"),
    ("common/mm/pt.c", "!((va | pa) & (pt_entry_size(level) - 1))", "!(va & (pt_entry_size(level) - 1))"),
    ("common/mm/pt.c", "child[i] = pte_make_leaf(pa + i * step, level + 1, attr);", "child[i] = pte_make_leaf(pa + i * step, level, attr);"),
    ("common/mm/pt.c", "    pt_used_add(pt, child, PT_ENTRIES);\n", ""),
    ("common/mm/pt.c", "    pt->ops->flush(pt, ALIGN_DOWN(va, pt_entry_size(level)), pt_entry_size(level));\n", ""),
    ("common/mm/pt.c", "            out->any = true;\n            removed++;", "            removed++;"),
    ("common/mm/pt.c", "        table[i] = 0;\n", ""),
    ("common/mm/pt.c", "            needed++;\n            break;\n        default:", "            break;\n        default:"),
    ("common/mm/pt.c", "case PT_LEAF:\n            return PT_REFUSE;", "case PT_LEAF:\n            return PT_WRITE;"),
    ("common/mm/pt_page.c", "if (unlikely(!--table->u.used))", "if (0 && !--table->u.used)"),
    ("common/mm/pt_internal.h", "    pt_used_add(pt, entry, 1);\n", ""),
    ("common/mm/pt_internal.h", "gap->blocked = pte_is_valid(e);", "gap->blocked = false;"),
    ("common/mm/pt_internal.h", "        gap->missing = PT_LEVELS - 1 - level;\n", "        gap->missing = 0;\n"),
    ("common/mm/pt_page.c", "level > pt->start_level && !pt_used(table[level])", "level > pt->start_level"),
    # p2m
    ("common/mm/p2m_unmap.c", "    flush_removed(p2m, va, size, &parked);\n", ""),
    ("common/mm/p2m_unmap.c", "    pt_park(&p2m->pt, &rq, &parked);\n    flush_removed(p2m, va, size, &parked);", "    flush_removed(p2m, va, size, &parked);\n    pt_park(&p2m->pt, &rq, &parked);"),
    ("common/mm/p2m_unmap.c", "page_list_empty(&parked->tables) && parked->leaves == 1", "parked->leaves == 1"),
    ("common/mm/p2m_unmap.c", "tlb_flush_ipa(p2m->vttbr, va, size >> PAGE_SHIFT, PAGE_SIZE);", "tlb_flush_ipa(p2m->vttbr, va, 1, PAGE_SIZE);"),
    ("common/mm/p2m_unmap.c", "        tlb_flush_ipa(p2m->vttbr, va, 1, PAGE_SIZE);\n    else\n", "        ;\n    else\n"),
    ("common/mm/p2m_unmap.c", "    WRITE_ONCE(*entry, 0);\n    tlb_flush_ipa(p2m->vttbr, va, 1, PAGE_SIZE);\n", ""),
    ("common/mm/p2m_unmap.c", "        page_set_gfn(page, gfn(va >> PAGE_SHIFT), INVALID_GFN);", "        ;"),
    ("common/mm/p2m_unmap.c", "    else if (p2m_type_in(t, P2M_ANY_XENHEAP | P2M_ANY_FOREIGN))\n        put_page(page);", ""),
    ("common/mm/p2m_unmap.c", "    finish_run(&d);\n", ""),
    ("common/mm/p2m_unmap.c", "if (!d->nr || page != d->run + d->nr) {", "if (!d->nr) {"),
    ("common/mm/p2m_unmap.c", "            page_set_gfn(&page[i], gfn_add(g, i), INVALID_GFN);", "            ;"),
    ("common/mm/p2m_unmap.c", "if (needed > p2m_tables_left(p2m))", "if (0)"),
    ("common/mm/p2m_unmap.c", "if ((pte_addr(e) >> PAGE_SHIFT) + offset != m.mfn)", "if (0)"),
    ("common/mm/p2m_unmap.c", "    if (!pte_is_valid(e))\n        return -ENOENT;\n    return p2m_type_in", "    if (!pte_is_valid(e))\n        return 0;\n    return p2m_type_in"),
    ("common/mm/p2m_unmap.c", "P2M_TRACKED | P2M_ANY_MMIO | P2M_ANY_FOREIGN);", "~0u);"),
    ("common/mm/p2m_map.c", "            page_set_gfn(&page[i], INVALID_GFN, gfn_add(g, i));", "            ;"),
    ("common/mm/p2m_map.c", "    if (p2m->dying)\n        return -EPERM;", ""),
    ("common/mm/p2m_map.c", "        if (type_info_has_gfn(page->type_info))\n            return -EBUSY;", ""),
    ("common/mm/p2m_map.c", "page->u.owner != p2m->owner ||", ""),
    ("common/mm/p2m_map.c", "|| !(c & PGC_xenheap) != !xenheap", ""),
    ("common/mm/p2m_map.c", "    if (!p2m_type_in(p2m_pte_type(e), P2M_TRACKED))\n        return -EBUSY;", ""),
    ("common/mm/p2m_map.c", "    if (needed > p2m_tables_left(p2m))\n        return -ENOMEM;", ""),
    ("common/mm/p2m_map.c", "    if (!entry && missing > p2m_tables_left(p2m))\n        return -ENOMEM;", ""),
    ("common/mm/p2m_map.c", "    if (occupied && !p2m_type_in(p2m_pte_type(*entry), P2M_TRACKED))\n        return -EBUSY;", ""),
    ("common/mm/p2m_map.c", "    if (p2m->max_mapped_gfn < g.gfn + nr - 1)\n        p2m->max_mapped_gfn = g.gfn + nr - 1;", ""),
    ("common/mm/p2m_populate.c", "    clear_range(va, size);", ""),
    ("common/mm/p2m_populate.c", "        page_give_up_run(p2m->owner, page, nr);", "        ;"),
    ("common/mm/p2m_populate.c", "    else\n        heap_free(page, order);", "    else\n        ;"),
    ("common/mm/p2m_pool.c", "    p2m->pool_free++;\n}", "}"),
    ("common/mm/p2m_internal.h", "p2m->pool_free && !p2m->dying ?", "0 ?"),
    ("common/mm/p2m_global.c", "return ram | S2_WRITE | S2_XN;", "return ram | S2_WRITE;"),
    ("common/mm/p2m_global.c", "        vmid_next = v + 1;", "        vmid_next = v;"),
    ("common/mm/p2m.c", "if (page->u.owner != p2m->owner || !get_page_if_used(page))", "if (0)"),
    ("common/mm/boot_mem.c", "    if (set_overlaps(&banks, r))\n        return -EEXIST;", ""),
    ("common/mm/boot_mem.c", "s->range[i].end <= addr", "s->range[i].end < addr"),
    ("common/mm/boot_mem.c", "rc = set_subtract(&free_mem, whole_pages(reserved.range[i]));", "rc = 0;"),
    ("common/mm/slab.c", "        memset(p, 0, class_size[c]);", "        ;"),
    ("common/mm/slab.c", "    if (!s.free)\n        page_list_push(&partial[s.class], page);", ""),
    ("common/mm/slab.c", "    if (!s.used) {", "    if (0) {"),
]


def sources(test):
    with open(os.path.join(ROOT, "tests/unit", test + ".c"), encoding="utf-8") as f:
        m = re.search(r"/\* SOURCES: *(.*?) *\*/", f.read())
    return (m.group(1).split() if m else []) + ["tests/unit/%s.c" % test]


def copy_tree(to):
    for part in ("common/mm", "include", "arch/arm64/include", "arch/arm/include", "tests/fake", "tests/unit"):
        shutil.copytree(os.path.join(ROOT, part), os.path.join(to, part))
    os.makedirs(os.path.join(to, "build"))
    os.symlink(os.path.join(ROOT, "build/include"), os.path.join(to, "build/include"))


def compile_file(tree, source):
    """Path of the object, or None when it does not compile."""
    obj = os.path.join(tree, source.replace("/", "_") + ".o")
    cmd = ["gcc", *CFLAGS, "-c", "-o", obj, source]
    return None if subprocess.run(cmd, cwd=tree, capture_output=True, check=False).returncode else obj


def compile_all(tree):
    files = sorted({f for test in TESTS for f in sources(test)})
    return {f: compile_file(tree, f) for f in files}


def failing_test(tree, objects, changed):
    """The first test that fails (or cannot be made, or does not end), or None. `changed`: a file
    that a test must link to notice anything; None: all tests."""
    for test in TESTS:
        files = sources(test)
        if changed and changed not in files:
            continue
        exe = os.path.join(tree, test)
        cmd = ["gcc", *CFLAGS, "-o", exe, *[objects[f] or "/dev/null" for f in files], "-lcmocka"]
        if subprocess.run(cmd, cwd=tree, capture_output=True, check=False).returncode:
            return test + " (does not compile)"
        try:
            run = subprocess.run([exe], cwd=tree, capture_output=True, timeout=300, check=False)
            if run.returncode:
                return test
        except subprocess.TimeoutExpired:
            return test + " (does not end)"
    return None


def try_mutant(mutant, good):
    path, old, new = mutant
    with tempfile.TemporaryDirectory() as tree:
        copy_tree(tree)
        where = os.path.join(tree, path)
        with open(where, encoding="utf-8") as f:
            text = f.read()
        if old not in text:
            return "the text is not there any more"
        with open(where, "w", encoding="utf-8") as f:
            f.write(text.replace(old, new, 1))
        if path.endswith(".h"):
            return failing_test(tree, compile_all(tree), None)
        return failing_test(tree, good | {path: compile_file(tree, path)}, path)


def report(mutant, by):
    """One line; True when the mutant was not caught."""
    path, old, new = mutant
    survived = by is None or "not there" in by or "not compile" in by
    print(
        "%-8s %s: %s -> %s [%s]"
        % (
            "SURVIVED" if survived else "caught",
            os.path.basename(path),
            old.strip().split("\n")[0],
            new.strip().split("\n")[0] or "nothing",
            by,
        ),
        flush=True,
    )
    return survived


def main():
    chosen = [m for m in MUTANTS if not sys.argv[1:] or any(a in m[0] for a in sys.argv[1:])]
    jobs = int(os.environ.get("JOBS", "2"))
    with tempfile.TemporaryDirectory() as tree:
        copy_tree(tree)
        good = compile_all(tree)
        failed = failing_test(tree, good, None)
        if failed:
            sys.exit("fails without any change: " + failed)
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            results = pool.map(lambda m: try_mutant(m, good), chosen)
            survived = sum(report(m, by) for m, by in zip(chosen, results))
    print("%d mutants, %d not caught" % (len(chosen), survived))
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
