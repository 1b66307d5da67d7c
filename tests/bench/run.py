"""The bench: one guest image on Holdfast and on Debian's Xen, in instructions, against the targets.

    make bench        everything: table on the terminal, build/bench/bench.json, docs/bench.svg
    make bench-gate   Holdfast's operations alone, compared with baseline.json

An operation that fails is shown with its error instead of a number, and makes the bench fail.
"""
import json
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "system"))

from chart import chart  # noqa: E402
from machine import BUILD, HOLDFAST, ROOT, Domain, Machine  # noqa: E402
from rows import FIGURES, MIRROR_ROWS, ROWS, SCALING_ROWS, SWITCH_ROWS  # noqa: E402

XEN = BUILD / "fetched/xen/xen"
XEN_BOOTARGS = "console=dtuart dtuart=/pl011@9000000"
GUEST = BUILD / "guests/bench.bin"
OUT = BUILD / "bench"
BASELINE = HERE / "baseline.json"
ALLOWED_GROWTH = 0.03
MODE_AT = 40  # main.c of the guest
TABLE, BOOT, SWITCH, SCALING, WAIT = range(5)
LIMIT = 240  # seconds
COUNTED = ("instructions", "tlbi", "dsb", "cache")


# --- one machine ---


def guest_image(mode, more):
    """The guest for a mode, `more` MiB longer than it is."""
    image = bytearray(GUEST.read_bytes())
    image[MODE_AT] = mode
    path = OUT / f"guest-{mode}-{more}.bin"
    path.write_bytes(bytes(image) + b"\xa5" * (more << 20))
    return path


def run_guest(
    name, hypervisor, mode, cpus, vcpus, memory="2G", more=0, plugin="", ask=None, devices=None
):
    """What the guest and the plugin said: (log, counts). `ask`: called with the machine at the end;
    `devices`: what the guest is given behind the SMMU."""
    domain = Domain(
        "domU1",
        cpus=vcpus,
        memory_mib=256,
        kernel=guest_image(mode, more),
        ramdisk=None,
        properties={"nr_spis": "<64>", "xen,enhanced": '"no-xenstore"'},
        devices=devices,
    )
    machine = Machine(
        f"bench-{name}",
        [domain],
        cpu="max",
        smp=cpus,
        memory=memory,
        machine="iommu=smmuv3" if devices else "",
        icount=False,
        holdfast=hypervisor,
        hv_bootargs=XEN_BOOTARGS if hypervisor == XEN else "",
    )
    counts = OUT / f"{name}.counts"
    counts.unlink(missing_ok=True)
    machine.command += ["-icount", "shift=0,sleep=off"]
    machine.command += ["-plugin", f"{OUT}/count.so,out={counts},guest=0x40000000-0x50000000{plugin}"]
    with machine:
        said = machine.expect(r"BENCH done \d+|Panic on CPU|panic:|FAIL [^\n]*\n", timeout=LIMIT)
        if ask:
            ask(machine)
        log = machine.log()
    if not said.group(0).startswith("BENCH done"):
        sys.exit(f"{name}: {said.group(0)}: see build/tests/bench-{name}.log")
    return log, counts.read_text(encoding="ascii")


def parse(log, counts):
    """({key: {"instructions", "tlbi", "dsb", "cache"}}, {row: error}) of one run."""
    samples = {
        int(number): [int(n) for n in rest.split()]
        for number, rest in re.findall(r"^sample (\d+) (.*)$", counts, re.M)
    }
    values, errors = {}, {}
    for key, cost, at in re.findall(r"BENCH (\w+) (\d+) (\d+)\s", log):
        values[key] = dict(zip(COUNTED, [int(cost)] + samples.get(int(at), [0] * 4)[1:]))
    for row, error in re.findall(r"BENCH error (\w+): ([^\n]*)", log):
        errors[row] = error
    return values, errors


def table(hypervisor, name):
    """(values, errors, how long interrupts were off) of the table's rows."""
    log, counts = run_guest(name, hypervisor, TABLE, cpus=2, vcpus=2)
    values, errors = parse(log, counts)
    exact = values.get("counter_200000", {}).get("instructions")
    if exact is None or not 200000 <= exact <= 200004:
        sys.exit(f"{name}: 200,000 instructions read as {exact}: nothing is measured")
    stretch = re.search(r"^stretch (\d+) (\S+) (\S+)$", counts, re.M)
    return values, errors, stretch.groups()


# --- other figures ---


def until_guest(hypervisor, name, memory="2G", more=0):
    """Instructions from reset to the guest's first one, on one CPU."""
    _, counts = run_guest(name, hypervisor, BOOT, 1, 1, memory=memory, more=more)
    return int(re.search(r"^first (\d+)$", counts, re.M).group(1))


def boot_figures(hypervisor, name):
    base = until_guest(hypervisor, f"{name}-boot")
    return {
        "boot": base,
        "boot_per_gib": (until_guest(hypervisor, f"{name}-boot-8g", memory="8G") - base) // 6,
        "boot_per_image_mib": (until_guest(hypervisor, f"{name}-boot-image", more=16) - base) // 16,
        "memory_taken": memory_taken(hypervisor, name),
    }


def other_rows(hypervisor, name):
    """The rows that need a machine of their own."""
    values, errors = parse(*run_guest(f"{name}-switch", hypervisor, SWITCH, cpus=1, vcpus=2))
    for cpus in (1, 2, 4, 8):
        more, problem = parse(*run_guest(f"{name}-{cpus}", hypervisor, SCALING, cpus, cpus))
        values |= {f"{key}_{cpus}": value for key, value in more.items()}
        errors |= problem
    return values, errors


def mirror_rows():
    """What changes of the P2M cost when an SMMU mirrors it for a device."""
    bridge = (ROOT / "dts/pci-bridge.dts").read_text(encoding="ascii")
    values, errors = parse(*run_guest("mirror", HOLDFAST, TABLE, cpus=2, vcpus=2, devices=bridge))
    rows = {row.test for row in MIRROR_ROWS}  # in others the bridge stands where they expect nothing
    errors = {row: error for row, error in errors.items() if row in rows}
    return {f"{key}_mirror": value for key, value in values.items()}, errors


def sections():
    """KiB of each part of the image, by its ELF file."""
    text = subprocess.run(
        ["size", "-A", ROOT / os.environ["HF_ELF"]], check=True, capture_output=True, text=True
    ).stdout
    sizes = {n: int(s) for n, s in re.findall(r"^(\.?\w[\w.]*) +(\d+) +[1-9]", text, re.M)}
    return {name: size for name, size in sizes.items() if not name.startswith(".debug")}


def source_lines():
    """Lines of our C and assembly that go into the image."""
    names = [
        file
        for directory in ("arch", "common", "drivers", "include")
        for file in (ROOT / directory).rglob("*")
        if file.suffix in (".c", ".h", ".S")
    ]
    return sum(len(file.read_bytes().splitlines()) for file in names)


def memory_taken(hypervisor, name):
    """KiB of a 2 GiB machine that are neither free nor the 256 MiB guest's, while that runs."""
    free = []

    def ask(machine):
        machine.focus(0)
        machine.send("m")
        said = machine.expect(r"memory: (\d+) of \d+ pages free|Dom heap: (\d+)kB free")
        free.append(int(said.group(1)) * 4 if said.group(1) else int(said.group(2)))

    run_guest(f"{name}-memory", hypervisor, WAIT, 2, 2, ask=ask)
    return (2048 - 256) * 1024 - free[0]


# --- saying it ---


def of(result, row):
    """The number, or what went wrong; None where there is nothing to compare with."""
    values, errors = result[:2]
    if row.key in values:
        return values[row.key]["instructions"]
    return errors.get(row.test, "it did not run") if values or errors else None


def line(label, theirs, ours, target, more=""):
    show = [f"{x:,}" if isinstance(x, int) else "error" if x else "-" for x in (theirs, ours)]
    both = isinstance(theirs, int) and isinstance(ours, int) and theirs
    ratio = f"{ours / theirs:.2f}" if both else ""
    goal = "" if target is None else f"{target:,}"
    late = "!" if isinstance(ours, int) and target is not None and ours > target else " "
    print(f"{label:38}{show[0]:>13}{show[1]:>12}{ratio:>7}{goal:>12}{late} {more}".rstrip())


def barriers(result, row):
    value = result[0].get(row.key)
    return "/".join(str(value[k]) for k in COUNTED[1:]) if value else "-"


def say_rows(rows, ours, theirs):
    for row in rows:
        more = f"{barriers(ours, row)} (Xen {barriers(theirs, row)})"
        line(row.label, of(theirs, row), of(ours, row), row.target, more)


def say_errors(**results):
    """Returns how many there are of Holdfast."""
    for name, result in results.items():
        for row, error in result[1].items():
            print(f"{name}: {row}: {error}")
    return len(results["Holdfast"][1])


def everything():
    ours, theirs = table(HOLDFAST, "holdfast"), table(XEN, "xen")
    more = [other_rows(HOLDFAST, "holdfast"), other_rows(XEN, "xen")]
    boot = [boot_figures(HOLDFAST, "holdfast"), boot_figures(XEN, "xen")]
    mirror = mirror_rows()
    parts, lines = sections(), source_lines()
    print(f"{'instructions':38}{'Xen 4.17':>13}{'Holdfast':>12}{'ratio':>7}{'target':>12}  TLBI/DSB/cache")
    say_rows(ROWS, ours, theirs)
    print()
    for figure in FIGURES:
        line(figure.label, boot[1][figure.key], boot[0][figure.key], figure.target)
    print()
    say_rows(SWITCH_ROWS + SCALING_ROWS, *more)
    print()
    say_rows(MIRROR_ROWS, mirror, ({}, {}))
    print()
    text = sum(size for name, size in parts.items() if name in (".text", ".rodata"))
    line("image: text and rodata, bytes", 590 * 1024, text, 200 * 1024)
    print("  " + ", ".join(f"{name} {size}" for name, size in parts.items()))
    line("source lines of C and assembly", 91016, lines, 20000)
    line("longest way without a look at interrupts", None, int(ours[2][0]), None)
    print(f"  from {ours[2][1]} to {ours[2][2]}")
    more[0][0].update(mirror[0])
    more[0][1].update({f"mirror: {row}": error for row, error in mirror[1].items()})
    return ours, theirs, more, boot, parts, lines


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    ours, theirs, more, boot, parts, lines = everything()
    result = {
        name: {"rows": rows[0] | others[0], "errors": rows[1] | others[1], "figures": figures}
        for name, rows, others, figures in (
            ("holdfast", ours, more[0], boot[0]),
            ("xen", theirs, more[1], boot[1]),
        )
    }
    result["holdfast"] |= {"sections": parts, "source lines": lines, "interrupts off": ours[2]}
    (OUT / "bench.json").write_text(json.dumps(result, indent=1) + "\n", encoding="ascii")
    drawn = [
        (row.label, theirs[0][row.key]["instructions"], ours[0][row.key]["instructions"], row.target)
        for row in ROWS
        if row.target and row.key in ours[0] and row.key in theirs[0]
    ]
    (ROOT / "docs/bench.svg").write_text(chart(drawn), encoding="utf-8")
    failed = say_errors(Xen=theirs, Holdfast=ours) + say_errors(Xen=more[1], Holdfast=more[0])
    return 1 if failed else 0


# --- the gate ---


def gate(argv):
    """Compares with the baseline; --update writes it anew."""
    OUT.mkdir(parents=True, exist_ok=True)
    values, errors, _ = table(HOLDFAST, "gate")
    mirrored, more = mirror_rows()
    values |= mirrored
    errors |= {f"mirror: {row}": error for row, error in more.items()}
    found = {row.key: values[row.key] for row in ROWS + MIRROR_ROWS if row.key in values}
    problems = [f"{row}: {error}" for row, error in errors.items()]
    if "--update" in argv:
        text = ",\n".join(f'"{key}": {json.dumps(value)}' for key, value in found.items())
        BASELINE.write_text("{\n" + text + "\n}\n", encoding="ascii")
    known = json.loads(BASELINE.read_text(encoding="ascii"))
    for key, before in known.items():
        now = found.get(key)
        if now is None:
            problems.append(f"{key}: in the baseline, and not measured")
            continue
        for counted in COUNTED:
            if now[counted] > before[counted] * (1 + ALLOWED_GROWTH):
                problems.append(f"{key}: {now[counted]} {counted}, the baseline has {before[counted]}")
    problems += [f"{key}: not in the baseline" for key in found.keys() - known.keys()]
    for problem in problems:
        print(f"bench: {problem}")
    if problems:
        print("bench: `make bench-baseline` writes the baseline anew; the commit says why")
        return 1
    print(f"bench: {len(known)} operations, none costs more than {ALLOWED_GROWTH:.0%} over the baseline")
    return 0


if __name__ == "__main__":
    sys.exit(gate(sys.argv[2:]) if sys.argv[1:2] == ["gate"] else main())
