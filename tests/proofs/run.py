#!/usr/bin/env python3
"""Runs the CBMC proofs, and shows that each fails when what it proves is broken.

    tests/proofs/run.py CBMC...     the command of cbmc, as one or more words

Each harness states its bounds in its head comment. A mutant is one file with one text replaced, in
a copy of the sources; a proof that holds for a mutant proves too little: exit 1.
"""

import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OPTIONS = ["--function", "proof", "--unwinding-assertions", "--unwind", "3"]
OPTIONS += ["--drop-unused-functions", "-DHF_HOST_TEST=1", "-DHF_DEBUG=1"]
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
# (name, harness, where headers are, mutants)
PROOFS = [
    ("type_info, 64 bits", "type_info.c", ["-Iarch/arm64/include"], TYPE_INFO_MUTANTS),
    ("type_info, 32 bits", "type_info.c", ["-DHF_GFN_WIDTH=32", "-Itests/fake/include"], TYPE_INFO_MUTANTS),
    ("pt_choose_action", "choose_action.c", ["-Itests/fake/include", "-Iarch/arm64/include"], CHOOSE_MUTANTS),
]
TREES = ["include", "common/mm", "arch/arm64/include", "tests/fake/include", "tests/proofs"]


def prove(cbmc, tree, harness, where):
    """True when it holds, False when it does not; anything else ends the run."""
    command = cbmc + OPTIONS + where + ["-Iinclude", "-I.", "tests/proofs/" + harness]
    run = subprocess.run(command, cwd=tree, capture_output=True, text=True)
    if run.returncode == 0 and "VERIFICATION SUCCESSFUL" in run.stdout:
        return True, run.stdout
    if run.returncode == 10 and "VERIFICATION FAILED" in run.stdout:
        return False, run.stdout
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


def is_noticed(cbmc, harness, where, mutant):
    with tempfile.TemporaryDirectory() as tree:
        copy_mutated(tree, mutant)
        return not prove(cbmc, tree, harness, where)[0]


def main():
    cbmc = sys.argv[1:] or ["cbmc"]
    bad = 0
    for name, harness, where, mutants in PROOFS:
        holds, text = prove(cbmc, ROOT, harness, where)
        if not holds:
            bad += 1
            print(f"  PROOF   {name}: FAILED")
            print("\n".join(line for line in text.splitlines() if line.endswith("FAILURE")))
            continue
        unnoticed = [m for m in mutants if not is_noticed(cbmc, harness, where, m)]
        for path, old, new in unnoticed:
            print(f"  PROOF   {name}: holds although {path} has {new!r} for {old!r}")
        bad += len(unnoticed)
        print(f"  PROOF   {name}: holds; {len(mutants) - len(unnoticed)} of {len(mutants)} mutants fail it")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
