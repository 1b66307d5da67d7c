"""Where the instructions of one operation go: the functions in the order they run, with how many each has.

    make bench-trace KEY=gicd_typer

KEY is as in rows.py. Of the run whose cost is reported, in the release build, after the guest's own instructions are
taken out.
"""
import bisect
import os
import re
import subprocess
import sys

from run import BUILD, OUT, TABLE, run_guest  # noqa: E402
from machine import HOLDFAST, ROOT  # noqa: E402


def functions():
    elf = ROOT / os.environ["HF_ELF"]
    text = subprocess.run(
        [os.environ.get("NM", "nm"), "-n", elf], check=True, capture_output=True, text=True
    ).stdout
    found = re.findall(r"^([0-9a-f]+) [tT] (\S+)$", text, re.M)
    return [int(address, 16) for address, _ in found], [name for _, name in found]


def main(key):
    OUT.mkdir(parents=True, exist_ok=True)
    log, counts = run_guest("trace", HOLDFAST, TABLE, cpus=2, vcpus=2, plugin=",trace=on")
    said = re.search(rf"BENCH {key} (\d+) (\d+)\s", log)
    if not said:
        sys.exit(f"no number for {key}: see {BUILD}/tests/bench-trace.log")
    trace = re.search(rf"^trace {said.group(2)} (.*)$", counts, re.M)
    if not trace:
        sys.exit(f"{key}: too many instructions for a trace")
    addresses, names = functions()
    steps = []
    for address in trace.group(1).split():
        name = names[bisect.bisect_right(addresses, int(address, 16)) - 1]
        if steps and steps[-1][0] == name:
            steps[-1][1] += 1
        else:
            steps.append([name, 1])
    print(f"{key}: {said.group(1)} instructions")
    for name, n in steps:
        print(f"{n:6} {name}")


if __name__ == "__main__":
    main(sys.argv[1])
