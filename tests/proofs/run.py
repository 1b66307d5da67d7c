#!/usr/bin/env python3
"""Runs the CBMC proofs, and shows that each fails when what it proves is broken.

    tests/proofs/run.py CBMC...     the command of cbmc, as one or more words

Each runs with the headers and the words of arm64 and with those of arm32. Each harness states its bounds in its head comment. A mutant is one file with one text replaced, in
a copy of the sources; a proof that holds for a mutant proves too little: exit 1.
"""

import concurrent.futures
import os
import platform
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OPTIONS = ["--function", "proof", "--unwinding-assertions", "--drop-unused-functions"]
OPTIONS += ["--no-standard-checks", "--slice-formula", "-DHF_HOST_TEST=1", "-DHF_DEBUG=1"]
TYPE_INFO = "include/hv/type_info.h"
PT = "common/mm/pt.c"

# (file, what is there, what takes its place)
TYPE_INFO_MUTANTS = [
    (TYPE_INFO, "(((type_info_t)1 << PGT_GFN_BITS) - 1)", "(((type_info_t)1 << (PGT_GFN_BITS - 1)) - 1)"),
    (TYPE_INFO, "#define PGT_MAX_GFN (PGT_GFN_MASK >> 1)", "#define PGT_MAX_GFN PGT_GFN_MASK"),
    (TYPE_INFO, "#define PGT_COUNT_SHIFT PGT_GFN_BITS", "#define PGT_COUNT_SHIFT (PGT_GFN_BITS - 1)"),
    (TYPE_INFO, "(PGT_none | PGT_INVALID_GFN)", "PGT_none"),
    (TYPE_INFO, "!= PGT_INVALID_GFN;", "< PGT_MAX_GFN;"),
    (TYPE_INFO, "return (t & ~PGT_GFN_MASK) | type_info_gfn_field(g);", "return t | type_info_gfn_field(g);"),
    (TYPE_INFO, "return (t & ~PGT_GFN_MASK) | type_info_gfn_field(g);", "return type_info_gfn_field(g);"),
    (TYPE_INFO, "(type_info_t)g.gfn & PGT_GFN_MASK;", "(type_info_t)g.gfn;"),
    (TYPE_INFO, "    if ((t & PGT_COUNT_MASK) == PGT_COUNT_MASK)\n        return false;\n", ""),
    (TYPE_INFO, "(t + PGT_COUNT_ONE) | PGT_writable_page", "t + PGT_COUNT_ONE"),
    (TYPE_INFO, "    if (!(t & PGT_COUNT_MASK))\n        return false;\n", ""),
    (TYPE_INFO, "(t & PGT_COUNT_MASK) ? t : t & ~PGT_TYPE_MASK;", "t;"),
]
CHOOSE_MUTANTS = [
    (PT, "return whole && leaf_ok ? PT_WRITE", "return whole || leaf_ok ? PT_WRITE"),
    (PT, "return whole && leaf_ok ? PT_WRITE", "return leaf_ok ? PT_WRITE"),
    (PT, "            return PT_REFUSE;", "            return PT_WRITE;"),
    (PT, "return whole ? PT_CLEAR : PT_SPLIT;", "return PT_CLEAR;"),
    (PT, "return whole ? PT_CLEAR : PT_SPLIT;", "return whole ? PT_SPLIT : PT_CLEAR;"),
    (PT, "return whole && !keep_tables ? PT_UNLINK", "return whole ? PT_UNLINK"),
    (PT, "return whole && !keep_tables ? PT_UNLINK", "return !keep_tables ? PT_UNLINK"),
    (PT, "    return PT_SKIP;", "    return PT_CLEAR;"),
]
# The p2m: (options of the case, mutant) of each harness; the cases below.
MAP = "common/mm/p2m_map.c"
UNMAP = "common/mm/p2m_unmap.c"
PAGE = "include/hv/page.h"
ADD_MUTANTS = [
    ("1 0 8 0 RAM_RW RAM_RO", (MAP, "page_set_gfn(&page[i], INVALID_GFN, gfn_add(g, i));", ";")),
    ("1 0 8 0 RAM_RW RAM_RO", (UNMAP, "    WRITE_ONCE(*entry, 0);\n    tlb_flush_ipa(p2m->vttbr, va, 1, PAGE_SIZE);\n    drop_page", "    WRITE_ONCE(*entry, 0);\n    drop_page")),
    ("1 0 8 0 RAM_RW RAM_RO", (MAP, "!get_pages(mfn_to_page(m), 1, p2m->owner)", "0")),
    ("1 0 8 0 RAM_RW RAM_RO", (MAP, "    if (p2m->dying)\n        return -EPERM;\n", "")),
    ("1 0 8 0 RAM_RW RAM_RO", (MAP, "!(c & PGC_xenheap) != !xenheap", "0")),
    ("1 0 4 0 RAM_RW RAM_RO", (MAP, "        if (type_info_has_gfn(page->type_info))\n            return -EBUSY;\n", "")),
    ("1 0 8 0 FOREIGN_RO RAM_RO", (MAP, "if (occupied && !p2m_type_in(p2m_pte_type(*entry), P2M_TRACKED))", "if (0)")),
    ("1 0 6 1 RAM_RW XENHEAP_RW", (UNMAP, "            page_set_gfn(&page[i], gfn_add(g, i), INVALID_GFN);", "            ;")),
    ("1 0 MMIO_MFN 2 FOREIGN_RW RAM_RO", (MAP, "    if (!p2m_type_in(p2m_pte_type(e), P2M_TRACKED))\n        return -EBUSY;\n", "")),
    ("2 2 8 0", (MAP, "if (needed > p2m_tables_left(p2m))", "if (0)")),
    ("0 0 5 1", (PT, "!((va | pa) & (pt_entry_size(level) - 1));", "1;")),
    ("0 1 4 1", (PT, "pte_make_leaf(rq->pa + (va - rq->va), level, rq->attr)", "pte_make_leaf(rq->pa, level, rq->attr)")),
    ("0 3 4 0", (MAP, "missing > p2m_tables_left(p2m)", "missing > p2m->pool_free + 1")),
]
REMOVE_MUTANTS = [
    ("1 0 1 RAM_RO RAM_RW", (UNMAP, "        tlb_flush_ipa(p2m->vttbr, va, 1, PAGE_SIZE);\n    else\n        tlb_flush_vmid", "        ;\n    else\n        tlb_flush_vmid")),
    ("1 0 1 RAM_RW INVALID", (UNMAP, "        page_set_gfn(page, gfn(va >> PAGE_SHIFT), INVALID_GFN);\n", "        ;\n")),
    ("1 0 1 GRANT_RW INVALID", (UNMAP, "P2M_TRACKED | P2M_ANY_MMIO | P2M_ANY_FOREIGN", "~0u")),
    ("1 0 1 FOREIGN_RW INVALID", (UNMAP, "    else if (p2m_type_in(t, P2M_ANY_XENHEAP | P2M_ANY_FOREIGN))\n        put_page(page);\n", "")),
    ("1 0 2 RAM_RW XENHEAP_RW", (UNMAP, "        for (uint64_t i = 0; i < nr; i++)\n            put_page(&page[i]);\n        return;", "        return;")),
    ("3 1 2 RAM_RW XENHEAP_RW", (UNMAP, "    flush_removed(p2m, va, size, &parked);\n", "")),
    ("2 2 1", (UNMAP, "    if (needed > p2m_tables_left(p2m))\n        return -ENOMEM;\n    p2m_remove_locked", "    p2m_remove_locked")),
    ("2 2 1", (PT, "(pa + i * step, level + 1, attr)", "(pa, level + 1, attr)")),
    ("2 2 2", (PT, "    virt_to_page(table)->u.used = 0;\n    pt->ops->give(pt, table);\n", "    virt_to_page(table)->u.used = 0;\n")),
    ("3 1 2 INVALID RAM_RW", (PT, "        if (pt->counted && !pt_used(child)) {", "        if (0) {")),
]
REMOVE_PAGE_MUTANTS = [
    ("1 0 4 0 XENHEAP_RW RAM_RW", (UNMAP, "(pte_addr(e) >> PAGE_SHIFT) + offset != m.mfn", "0")),
    ("1 0 8 0 XENHEAP_RW RAM_RW", (UNMAP, "    return p2m_type_in(p2m_pte_type(e), allowed) ? 0 : -EILSEQ;", "    return 0;")),
    ("1 0 8 1 XENHEAP_RW RAM_RW", (UNMAP, "page_owner(page) == p2m->owner && !gfn_eq(g, INVALID_GFN)", "!gfn_eq(g, INVALID_GFN) && 0")),
    ("2 0 7 1", (UNMAP, "(pte_addr(e) >> PAGE_SHIFT) + offset != m.mfn", "(pte_addr(e) >> PAGE_SHIFT) != m.mfn")),
    ("1 0 9 1 FOREIGN_RW RAM_RW", (UNMAP, "page_owner(page) == p2m->owner && !gfn_eq(g, INVALID_GFN)", "1")),
]

# Cases in short: "SHAPE GFN MFN ORDER TYPES".
KINDS = "INVALID RAM_RW RAM_RO XENHEAP_RW XENHEAP_RO MMIO_DIRECT GRANT_RW FOREIGN_RO".split()
ADD = [f"1 0 {m} 0 {t} RAM_RO" for t in KINDS for m in ("6", "8")]
ADD += ["1 0 4 0 RAM_RW RAM_RO", "1 1 8 0 RAM_RO XENHEAP_RW", "1 2 6 0 RAM_RW INVALID"]
ADD += [f"1 0 {m} 0 {t} INVALID" for t in ("RAM_RW", "XENHEAP_RW") for m in ("9", "MMIO_MFN")]
ADD += ["1 0 8 0 FOREIGN_RO RAM_RO", "0 3 4 0", "0 0 8 0", "2 0 4 0", "2 0 9 0", "2 2 8 0", "2 3 MMIO_MFN 0", "3 2 9 0 RAM_RW XENHEAP_RW"]
ADD += ["4 0 8 0", "4 3 MMIO_MFN 0", "0 0 4 1", "0 0 5 1", "0 1 4 1", "0 0 4 2", "2 0 4 1", "1 0 6 1 RAM_RW XENHEAP_RW"]
ADD += ["1 0 6 1 GRANT_RO RAM_RW", "1 0 MMIO_MFN 2 FOREIGN_RW RAM_RO", "1 0 MMIO_MFN 2 MMIO_DIRECT INVALID", "1 1 MMIO_MFN 1 RAM_RW XENHEAP_RW"]
ADD += ["2 0 MMIO_MFN 2", "4 0 MMIO_MFN 2", "4 1 MMIO_MFN 1", "3 0 MMIO_MFN 2 RAM_RW XENHEAP_RW"]
# "SHAPE GFN NR TYPES"
REMOVE = [f"1 0 1 {t} {other}" for t in KINDS for other in ("INVALID", "RAM_RW") if t != other]
REMOVE += ["1 0 1 FOREIGN_RW INVALID", "1 1 1 INVALID XENHEAP_RW", "1 1 2 RAM_RW RAM_RO", "1 2 1 RAM_RW RAM_RO", "1 3 2 RAM_RW RAM_RO"]
REMOVE += [f"1 0 2 {types}" for types in ("RAM_RW XENHEAP_RW", "RAM_RW RAM_RO", "XENHEAP_RO FOREIGN_RW", "MMIO_DIRECT RAM_RO", "RAM_RW GRANT_RO")]
REMOVE += [f"3 {at} RAM_RW XENHEAP_RW" for at in ("0 1", "1 2", "2 1", "0 4", "2 2")]
REMOVE += ["3 1 2 RAM_RW GRANT_RW", "3 1 2 INVALID RAM_RW", "2 2 1", "2 3 1", "2 2 2", "4 0 4", "4 0 1", "4 3 1", "4 1 2", "4 2 2", "4 3 2"]
# "SHAPE GFN MFN ANYWHERE TYPES"
REMOVE_PAGE = [f"1 0 {m} 0 {t} RAM_RW" for t in KINDS[2:] for m in ("4", "8", "9")]
REMOVE_PAGE += [f"1 0 {m} 1 XENHEAP_RW RAM_RW" for m in ("4", "5", "8")]
REMOVE_PAGE += ["1 0 9 1 FOREIGN_RW RAM_RW", "1 0 8 1 INVALID RAM_RW"]
REMOVE_PAGE += ["2 2 6 0", "2 3 6 0", "2 0 7 1", "4 1 5 0", "4 0 6 1", "4 0 8 1"]

# The headers and the words of each architecture; only an x86-64 machine has a preprocessor for both.
ARCHES = {"arm64": ["-Iarch/arm64/include"]}
if platform.machine() == "x86_64":
    ARCHES["arm32"] = ["-Iarch/arm32/include", "--i386-linux", "-I/usr/include/x86_64-linux-gnu"]
# Tables have two entries, trees three levels; a frame's word is exchanged at once; loops over frames.
P2M_LOOPS = "page_set_gfn.0:2,get_page_if_used.0:2,make_world.0:11,save.1:11,check_invariants.0:7,check_nothing_changed.1:7"
P2M_OPTIONS = ["-Itests/proofs/include", "-Itests/fake/include", "--unwind", "5", "--unwindset", P2M_LOOPS]


def options_of(names, case):
    words = case.split()
    defines = [f"-D{name}={word}" for name, word in zip(names, words)]
    types = ",".join(f"P2M_{word}" for word in words[len(names) :])
    return P2M_OPTIONS + defines + ([f"-DTYPES={types}"] if types else [])


def p2m_proof(title, harness, names, cases, mutants):
    missing = [case for case, _ in mutants if case not in cases]
    if missing:
        sys.exit(f"proofs: {harness}: mutants of cases that are not there: {missing}")
    return (
        title,
        harness,
        [options_of(names, case) for case in dict.fromkeys(cases)],
        [(options_of(names, case), mutant) for case, mutant in mutants],
    )


def plain_proof(title, harness, where, mutants):
    options = where + ["--unwind", "3"]
    return (title, harness, [options], [(options, mutant) for mutant in mutants])


# (name, harness, options of each case, (options, mutant) of each mutant)
PROOFS = [
    plain_proof("type_info", "type_info.c", [], TYPE_INFO_MUTANTS),
    plain_proof("pt_choose_action", "choose_action.c", ["-Itests/fake/include"], CHOOSE_MUTANTS),
    p2m_proof("p2m: add, replace", "p2m_add.c", ["SHAPE", "GFN", "MFN", "ORDER"], ADD, ADD_MUTANTS),
    p2m_proof("p2m: remove", "p2m_remove.c", ["SHAPE", "GFN", "NR"], REMOVE, REMOVE_MUTANTS),
    p2m_proof("p2m: remove a page", "p2m_remove_page.c", ["SHAPE", "GFN", "MFN", "ANYWHERE"], REMOVE_PAGE, REMOVE_PAGE_MUTANTS),
]
TREES = ["include", "common/mm", "arch/arm64/include", "arch/arm32/include", "arch/arm/include", "tests/fake/include", "tests/proofs"]


def prove(cbmc, tree, harness, options):
    """None when it holds, what it says when it does not; anything else ends the run."""
    command = cbmc + OPTIONS + options + ["-Iarch/arm/include", "-Iinclude", "-I.", "tests/proofs/" + harness]
    run = subprocess.run(command, cwd=tree, capture_output=True, text=True)
    if run.returncode == 0 and "VERIFICATION SUCCESSFUL" in run.stdout:
        return None
    if run.returncode == 10 and "VERIFICATION FAILED" in run.stdout:
        failures = [line for line in run.stdout.splitlines() if line.endswith("FAILURE")]
        return "\n".join([" ".join(options)] + failures)
    sys.exit(f"proofs: cbmc gave no answer for {harness}:\n{run.stdout[-2000:]}{run.stderr[-2000:]}")


def copy_mutated(tree, mutant):
    path, old, new = mutant
    for part in TREES:
        shutil.copytree(os.path.join(ROOT, part), os.path.join(tree, part))
    with open(os.path.join(tree, path), encoding="utf-8") as f:
        text = f.read()
    if text.count(old) != 1:
        sys.exit(f"proofs: {path} does not have this text once: {old!r}")
    with open(os.path.join(tree, path), "w", encoding="utf-8") as f:
        f.write(text.replace(old, new))


def is_noticed(cbmc, harness, options, mutant):
    with tempfile.TemporaryDirectory() as tree:
        copy_mutated(tree, mutant)
        return prove(cbmc, tree, harness, options) is not None


def run_proof(pool, cbmc, arch, proof):
    """True when all cases hold and no mutant does."""
    name, harness, cases, mutants = proof
    name = f"{arch}: {name}"
    cases = [options + ARCHES[arch] for options in cases]
    mutants = [(options + ARCHES[arch], mutant) for options, mutant in mutants]
    failed = [text for text in pool.map(lambda case: prove(cbmc, ROOT, harness, case), cases) if text]
    if failed:
        print(f"  PROOF   {name}: FAILED in {len(failed)} of {len(cases)} cases", *failed, sep="\n")
        return False
    noticed = list(pool.map(lambda m: is_noticed(cbmc, harness, *m), mutants))
    for (_, (path, old, new)), seen in zip(mutants, noticed):
        if not seen:
            print(f"  PROOF   {name}: holds although {path} has {new!r} for {old!r}")
    print(f"  PROOF   {name}: holds in {len(cases)} cases; {sum(noticed)} of {len(mutants)} mutants fail it", flush=True)
    return all(noticed)


def main():
    cbmc = sys.argv[1:] or ["cbmc"]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        sys.exit(0 if all([run_proof(pool, cbmc, arch, proof) for arch in ARCHES for proof in PROOFS]) else 1)


if __name__ == "__main__":
    main()
