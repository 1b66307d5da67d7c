#!/usr/bin/python3
"""The tables of machines and of tests in README.md, made from the logs of the system tests (build/tests/*.log).

    matrix.py ARCH            fails unless README.md has the machines that ran on that architecture, and when it has
                              a test where it did not run
    matrix.py ARCH --write    writes it there; rows of other architectures stay
    matrix.py whole gicv2     keeps in tests/system/whole-gicv2.txt how many tests of each file `make system-gicv2`
                              passed, and why the others have no place there; so with arm32, arm32-gicv3

A machine counts when a test that names it started a domain there, and once for each version of its
interrupt controller. So is it with a file of tests and a machine of `make test`; for those of whole runs
what was kept is told. Nothing else in the tables depends on how many tests there are.
"""
import collections
import pathlib
import re
import sys
from xml.etree import ElementTree

ROOT = pathlib.Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
HEAD = [
    "| architecture | machine of QEMU | interrupt controller | console | CPUs, started by | processors | boot loaders | guests |",
    "|---|---|---|---|---|---|---|---|",
]
TESTS_HEAD = ["| system tests | arm64, GICv3 | arm64, GICv2 | arm32, GICv2 | arm32, GICv3 | other boards |", "|---|---|---|---|---|---|"]
USUAL = "arm64", "virt", "GICv3"
WHOLE = {
    "gicv2": ("arm64", "virt", "GICv2"), "arm32": ("arm32", "virt", "GICv2"), "arm32-gicv3": ("arm32", "virt", "GICv3"),
}  # fmt: skip
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


def record(name):
    return ROOT / f"tests/system/whole-{name}.txt"


def keep_whole_run(name):
    """Writes the record from what pytest tells."""
    files = collections.defaultdict(list)  # why each test was not run, or nothing
    for case in ElementTree.parse(ROOT / f"build/tests/whole-{name}.xml").iter("testcase"):
        why = case.find("skipped")
        files[case.get("classname").rpartition("test_")[2]].append("" if why is None else why.get("message"))
    text = f"# Made by `make system-{name}`: tests that passed there, of all; how many have no place there, and why.\n"
    for file, tests in sorted(files.items()):
        text += f"{file} {tests.count('')} of {len(tests)}\n"
        for why, n in collections.Counter(sorted(filter(None, tests))).items():
            text += f"    {n}: {why}\n"
    record(name).write_text(text, encoding="utf-8")


def whole_run(name):
    """{file: (tests that passed, tests)} of the record."""
    text = record(name).read_text(encoding="utf-8") if record(name).exists() else ""
    return {file: (int(passed), int(tests)) for file, passed, tests in re.findall(r"^(\w+) (\d+) of (\d+)$", text, re.M)}


def share(passed, tests):
    return "all" if passed == tests else f"{passed} of {tests}" if passed else ""


def test_rows(logs):
    """Where each file of tests ran, whatever the architecture of this run."""
    whole = [whole_run(name) for name in WHOLE]
    ran = {}
    for log in logs:
        key, file = (read_log(log) or (None,))[0], found(r" # tests/system/test_(\w+)\.py\n", log.partition("\n")[0] + "\n")
        if key and file:
            ran.setdefault(file, set()).add(key)
    for file, keys in sorted(ran.items()):
        boards = sorted({machine for _, machine, _ in keys if machine != "virt"})
        shares = [
            share(*files[file]) if file in files else "yes" if not files and key in keys else ""
            for files, key in zip(whole, WHOLE.values())
        ]
        yield "| " + " | ".join([file.replace("_", " "), "yes" if USUAL in keys else "", *shares, ", ".join(boards)]) + " |"
    sums = [share(*map(sum, zip(*files.values()))) if files else "" for files in whole]
    yield "| " + " | ".join(["together", "", *sums, ""]) + " |"


def cells(table):
    """{(tests, column, what is there)}"""
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in table]
    return {(row[0], n, word) for row in rows for n, cell in enumerate(row[1:]) for word in cell.split(", ") if word}


def main(arch, write=False):
    files = [f for f in sorted((ROOT / "build/tests").glob("*.log")) if not f.name.startswith("whole-")]
    logs = [file.read_text(encoding="utf-8", errors="replace") for file in files]
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
    if sys.argv[1] == "whole":
        keep_whole_run(sys.argv[2])
    else:
        main(sys.argv[1], "--write" in sys.argv[2:])
