#!/usr/bin/python3
"""The table of machines in README.md, made from the logs of the system tests (build/tests/*.log).

    matrix.py ARCH            fails unless README.md says what ran on that architecture
    matrix.py ARCH --write    writes it there; rows of other architectures stay

A machine counts when a test that names it started a domain there, and once for each version of its
interrupt controller. Nothing in the table depends on how many tests there are.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
HEAD = [
    "| architecture | machine of QEMU | interrupt controller | console | CPUs, started by | processors | boot loaders | guests |",
    "|---|---|---|---|---|---|---|---|",
]
MARKS = "<!-- made by tests/matrix.py -->\n", "<!-- end of what matrix.py made -->\n"


def found(pattern, text, otherwise=""):
    match = re.search(pattern, text)
    return match.group(1) if match else otherwise


def boot_loader(log):
    if "BL31: " in log:
        return "U-Boot on Trusted Firmware"
    return "U-Boot" if "Starting kernel ..." in log else "QEMU `-kernel`"


def read_log(text):
    """(row's key, its facts), or None for a run that does not count."""
    command, _, log = text.replace("\r", "").partition("\n")
    machine = found(r" -M (virt|[\w-]+)", command)
    started = re.search(r"\(HF\) (\d+) of \d+ domains started", log)
    if not machine or not started or started.group(1) == "0":
        return None
    arch = "arm32" if re.search("build/arm32|/qemu_arm/", command) else "arm64"
    key = arch, machine, found(r"\(HF\) (GICv\d): ", log)
    return key, {
        "console": found(r"\(HF\) console: (.+?) /", log),
        "cpus": int(found(r"\(HF\) cpus: (\d+) of", log, "1")),
        "method": "spin-table" if "CPUs by spin-table" in log else found(r"firmware: (PSCI [\d.]+)", log),
        "processor": found(r" -cpu ([\w-]+)", command, "the board's"),
        "loader": boot_loader(log),
        "guest": "Linux" if "userspace up" in log else "bare metal",
    }


def rows(arch, logs):
    ran = {}
    for log in logs:
        key, facts = read_log(log) or ((None,), None)
        if key[0] == arch:
            ran.setdefault(key, []).append(facts)
    for key, runs in sorted(ran.items(), key=lambda item: (item[0][1] != "virt", item[0])):
        several = {name: ", ".join(sorted({run[name] for run in runs})) for name in runs[0] if name != "cpus"}
        cpus = max(run["cpus"] for run in runs)
        cells = [*key, several["console"], f"{cpus}, {several['method']}", several["processor"]]
        yield "| " + " | ".join(cells + [several["loader"], several["guest"]]) + " |"


def main(arch, write=False):
    logs = [f.read_text(encoding="utf-8", errors="replace") for f in sorted((ROOT / "build/tests").glob("*.log"))]
    readme = README.read_text(encoding="utf-8")
    before, rest = readme.split(MARKS[0])
    old, after = rest.split(MARKS[1])
    others = [line for line in old.splitlines()[len(HEAD) :] if not line.startswith(f"| {arch} |")]
    lines = sorted([*rows(arch, logs), *others], key=lambda line: line.split(" | ")[0] != "| arm64")
    new = "".join(line + "\n" for line in HEAD + lines)
    if write:
        README.write_text(before + MARKS[0] + new + MARKS[1] + after, encoding="utf-8")
    elif new != old:
        sys.exit(f"README.md does not say which machines were tested; run `make matrix`. Expected:\n{new}")


if __name__ == "__main__":
    main(sys.argv[1], "--write" in sys.argv[2:])
