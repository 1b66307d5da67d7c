#!/usr/bin/env python3
"""Searches the models in tests/spin with Spin, and shows that it finds each way to break them.

A model's head comment states its bounds, and names what breaks it when defined; a name with a plus
is a part: each is searched by itself. The search is exhaustive: one that ends early for want of
depth or memory is a failure.
"""

import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
MODELS = ["p2m", "sched", "pause"]
DEPTH = "2000000"


def names(model):
    """What the head comment names: the mutants, and the parts."""
    with open(os.path.join(HERE, model + ".pml"), encoding="utf-8") as f:
        head = f.read().split("*/")[0]
    find = lambda plus: re.findall(r"^ \*   %s([A-Z_]+) " % plus, head, re.MULTILINE)
    return find(""), find(r"\+") or [None]


def search(model, *defined):
    """Number of errors and of states, and what the first error is."""
    path = os.path.join(HERE, model + ".pml")
    with open(path, encoding="utf-8") as f:
        provided = " provided (" in f.read()
    # A process that waits for a condition of its own rules out the reduction of orders, and may wait
    # for good: such a model looks itself at what may not wait.
    reduce, ends = (["-DNOREDUCE"], ["-E"]) if provided else ([], [])
    with tempfile.TemporaryDirectory() as where:
        define = ["-D" + d for d in defined if d]
        subprocess.run(["spin", *define, "-a", path], cwd=where, check=True, stdout=subprocess.DEVNULL)
        subprocess.run(
            ["gcc", "-O2", "-w", "-DSAFETY", "-DCOLLAPSE", "-DMEMLIM=4000", *reduce, "-o", "pan", "pan.c"],
            cwd=where,
            check=True,
        )
        out = subprocess.run(["./pan", "-n", *ends, "-m" + DEPTH], cwd=where, capture_output=True, text=True).stdout
    errors = re.search(r"errors: (\d+)", out)
    states = re.search(r"(\d+) states, stored", out)
    if not errors or not states or "max search depth too small" in out:
        sys.exit(f"spin: the search is not exhaustive:\n{out}")
    if not int(errors[1]) and "Search not completed" in out:
        sys.exit(f"spin: the search was not completed:\n{out}")
    first = re.search(r"pan:1: (.*?)\s*\(at depth", out)
    return int(errors[1]), int(states[1]), first[1] if first else ""


def found(model, parts, name):
    """What the search says of a broken protocol; None: nothing."""
    for part in parts:
        errors, _, what = search(model, part, name)
        if errors:
            return what
    return None


def check(model):
    """The number of failures."""
    mutants, parts = names(model)
    bad = 0
    for part in parts:
        errors, states, what = search(model, part)
        print(f"  SPIN    {model} {part or ''}: {states} states, {what or 'no error'}", flush=True)
        bad += errors != 0
    for name in mutants:
        what = found(model, parts, name)
        print(f"  SPIN    {model} {name}: {'found: ' + what if what else 'NOT FOUND'}", flush=True)
        bad += what is None
    if not mutants:
        sys.exit(f"spin: {model} names no mutants")
    return bad


if __name__ == "__main__":
    sys.exit(1 if sum(check(m) for m in sys.argv[1:] or MODELS) else 0)
