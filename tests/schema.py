#!/usr/bin/python3
"""The trees of the system tests and the schema of dts/schema: one that Holdfast took without a word about
/chosen is as the schema has it, and what the schema has something against cost a line on the console.

    tests/schema.py -- after `make system`; ends with 1 if it is not so
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from holdfast import schema  # noqa: E402

COMPLAINT = re.compile(r"\(HF\) (?:error|warning): /chosen|\(HF\) [^\n]*/chosen[^\n]*ignored")


def main():
    tests = ROOT / "build/tests"
    logs = {tree: tests / f"{tree.parent.name}.log" for tree in tests.glob("*/machine.dtb")}
    trees = {tree: log for tree, log in logs.items() if log.exists()}
    found = schema.findings(sorted(trees))
    refused = {tree for tree, said in found.items() if said}
    quiet = {tree for tree in refused if not COMPLAINT.search(trees[tree].read_text(errors="replace").replace("\r", ""))}
    for tree in sorted(quiet):
        print(f"{tree.parent.name}: Holdfast took what the schema refuses: {found[tree]}", file=sys.stderr)
    print(f"{len(trees)} device trees of the system tests, {len(refused)} of them refused by schema and hypervisor")
    return 1 if quiet or not refused or refused == set(trees) else 0


sys.exit(main())
