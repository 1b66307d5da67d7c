#!/usr/bin/env python3
"""Searches tests/spin/p2m.pml with Spin, and shows that it finds each way to break the protocol.

The model's head comment states its bounds, and names what breaks it when defined. The search is
exhaustive: one that ends early for want of depth or memory is a failure.
"""

import os
import re
import subprocess
import sys
import tempfile

MODEL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "p2m.pml")
DEPTH = "300000"


def mutants():
    """The names in the head comment."""
    with open(MODEL, encoding="utf-8") as f:
        head = f.read().split("*/")[0]
    return re.findall(r"^ \*   ([A-Z_]+) ", head, re.MULTILINE)


def search(broken):
    """Number of errors and of states, and what the first error is."""
    with tempfile.TemporaryDirectory() as where:
        define = ["-D" + broken] if broken else []
        subprocess.run(["spin", *define, "-a", MODEL], cwd=where, check=True, stdout=subprocess.DEVNULL)
        subprocess.run(
            ["gcc", "-O1", "-w", "-DSAFETY", "-DCOLLAPSE", "-DMEMLIM=2000", "-o", "pan", "pan.c"],
            cwd=where,
            check=True,
        )
        out = subprocess.run(["./pan", "-n", "-m" + DEPTH], cwd=where, capture_output=True, text=True).stdout
    errors = re.search(r"errors: (\d+)", out)
    states = re.search(r"(\d+) states, stored", out)
    if not errors or not states or "max search depth too small" in out:
        sys.exit(f"spin: the search is not exhaustive:\n{out}")
    if not int(errors[1]) and "Search not completed" in out:
        sys.exit(f"spin: the search was not completed:\n{out}")
    first = re.search(r"pan:1: (.*?)\s*\(at depth", out)
    return int(errors[1]), int(states[1]), first[1] if first else ""


def main():
    bad = 0
    errors, states, what = search(None)
    print(f"  SPIN    the protocol: {states} states, {what or 'no error'}", flush=True)
    bad += errors != 0
    names = mutants()
    for name in names:
        errors, states, what = search(name)
        print(f"  SPIN    {name}: {'found: ' + what if errors else 'NOT FOUND'}", flush=True)
        bad += errors == 0
    if not names:
        sys.exit("spin: the model names no mutants")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
