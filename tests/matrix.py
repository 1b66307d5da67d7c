#!/usr/bin/python3
"""The tables of machines and of tests in README.md, made from the logs of the system tests (build/tests/*.log).

    matrix.py ARCH            fails unless README.md has the machines that ran on that architecture, and when it has
                              a test where it did not run
    matrix.py ARCH --write    writes it there; rows of other architectures stay

A machine counts when a test that names it started a domain there, and once for each version of its
interrupt controller. So is it with a file of tests and a machine. Nothing in the tables depends on how many
tests there are.
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
TESTS_HEAD = ["| system tests | arm64, GICv3 | arm64, GICv2 | arm32, GICv2 | other boards |", "|---|---|---|---|---|"]
COLUMNS = [("arm64", "virt", "GICv3"), ("arm64", "virt", "GICv2"), ("arm32", "virt", "GICv2")]
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


def test_rows(logs):
    """Where each file of tests ran, whatever the architecture of this run."""
    ran = {}
    for log in logs:
        key, file = (read_log(log) or (None,))[0], found(r" # tests/system/test_(\w+)\.py\n", log.partition("\n")[0] + "\n")
        if key and file:
            ran.setdefault(file.replace("_", " "), set()).add(key)
    for file, keys in sorted(ran.items()):
        boards = sorted({machine for _, machine, _ in keys if machine != "virt"})
        yield "| " + " | ".join([file, *("yes" if c in keys else "" for c in COLUMNS), ", ".join(boards)]) + " |"


def cells(table):
    """{(tests, column, what is there)}"""
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in table]
    return {(row[0], n, word) for row in rows for n, cell in enumerate(row[1:]) for word in cell.split(", ") if word}


def main(arch, write=False):
    logs = [f.read_text(encoding="utf-8", errors="replace") for f in sorted((ROOT / "build/tests").glob("*.log"))]
    readme = README.read_text(encoding="utf-8")
    before, rest = readme.split(MARKS[0])
    old, after = rest.split(MARKS[1])
    old_machines, _, old_tests = old.partition("\n\n")
    others = [line for line in old_machines.splitlines()[len(HEAD) :] if not line.startswith(f"| {arch} |")]
    lines = sorted([*rows(arch, logs), *others], key=lambda line: line.split(" | ")[0] != "| arm64")
    machines, tests = "\n".join(HEAD + lines), TESTS_HEAD + list(test_rows(logs))
    if write:
        new = machines + "\n\n" + "\n".join(tests) + "\n"
        README.write_text(before + MARKS[0] + new + MARKS[1] + after, encoding="utf-8")
    elif machines != old_machines:
        sys.exit(f"README.md does not say which machines were tested; run `make matrix`. Expected:\n{machines}")
    else:
        untrue = cells(old_tests.splitlines()) - cells(tests)
        if untrue:
            sys.exit(f"README.md has tests where they did not run; run `make matrix`: {sorted(untrue)}")


if __name__ == "__main__":
    main(sys.argv[1], "--write" in sys.argv[2:])
