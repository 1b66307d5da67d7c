"""The bench: one guest image on Holdfast and on Debian's Xen, in instructions, against the targets.

    make bench          everything: table on the terminal, build/bench/*.json, docs/bench.svg
    make bench-gate     only Holdfast's table, compared with baseline.json

An operation that fails is shown with its error instead of a number, and makes the bench fail.
"""
import json
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "system"))

from machine import BUILD, HOLDFAST, Domain, Machine  # noqa: E402
from rows import ROWS  # noqa: E402

XEN = BUILD / "fetched/xen/xen"
XEN_BOOTARGS = "console=dtuart dtuart=/pl011@9000000"
GUEST = BUILD / "guests/bench.bin"
OUT = BUILD / "bench"
MODE_AT = 40  # main.c of the guest
TABLE, BOOT, SWITCH, SCALING = range(4)
LIMIT = 240  # seconds


def guest_image(mode):
    image = bytearray(GUEST.read_bytes())
    image[MODE_AT] = mode
    path = OUT / f"guest-{mode}.bin"
    path.write_bytes(image)
    return path


def run_guest(
    name, hypervisor, mode, cpus, vcpus, memory="2G", more=0, guest_mib=256, plugin=""
):
    """What the guest and the plugin said: (log, counts). `more`: MiB that its image is longer."""
    image = guest_image(mode)
    if more:
        longer = OUT / f"guest-{mode}-{more}.bin"
        longer.write_bytes(image.read_bytes() + b"\0" * (more << 20))
        image = longer
    domain = Domain(
        "domU1",
        cpus=vcpus,
        memory_mib=guest_mib,
        kernel=image,
        ramdisk=None,
        properties={"nr_spis": "<64>", "xen,enhanced": '"no-xenstore"'},
    )
    machine = Machine(
        f"bench-{name}",
        [domain],
        cpu="max",
        smp=cpus,
        memory=memory,
        machine="",
        icount=False,
        holdfast=hypervisor,
        hv_bootargs=XEN_BOOTARGS if hypervisor == XEN else "",
    )
    counts = OUT / f"{name}.counts"
    counts.unlink(missing_ok=True)
    end = 0x40000000 + (guest_mib << 20)
    machine.command += ["-icount", "shift=0,sleep=off"]
    machine.command += ["-plugin", f"{OUT}/count.so,out={counts},guest=0x40000000-{end:#x}{plugin}"]
    with machine:
        said = machine.expect(r"BENCH done \d+|Panic on CPU|panic:|FAIL [^\n]*\n", timeout=LIMIT)
        log = machine.log()
    if not said.group(0).startswith("BENCH done"):
        sys.exit(f"{name}: {said.group(0)}: see build/tests/bench-{name}.log")
    return log, counts.read_text(encoding="ascii")


def parse(log, counts):
    """({key: {"instructions", "tlbi", "dsb", "cache"}}, {test: error}) of one run."""
    samples = {
        int(number): [int(n) for n in rest.split()]
        for number, rest in re.findall(r"^sample (\d+) (.*)$", counts, re.M)
    }
    values, errors = {}, {}
    for key, cost, at in re.findall(r"BENCH (\w+) (\d+) (\d+)\s", log):
        _, tlbi, dsb, cache = samples[int(at)]
        values[key] = {"instructions": int(cost), "tlbi": tlbi, "dsb": dsb, "cache": cache}
    for test, error in re.findall(r"BENCH error (\w+): ([^\n]*)", log):
        errors[test] = error
    return values, errors


def table(hypervisor, name):
    values, errors = parse(*run_guest(name, hypervisor, TABLE, cpus=2, vcpus=2))
    exact = values.get("counter_200000", {}).get("instructions")
    if exact is None or not 200000 <= exact <= 200004:
        sys.exit(f"{name}: 200,000 instructions read as {exact}: nothing is measured")
    return values, errors


def of(values, errors, row):
    if row.key in values:
        return values[row.key]["instructions"]
    return errors.get(row.test, "it did not run")


def say_table(ours, theirs):
    print(f"{'instructions':38}{'Xen 4.17':>11}{'Holdfast':>11}{'ratio':>7}{'target':>8}  tlbi/dsb/cache")
    missed = 0
    for row in ROWS:
        a, b = of(*theirs, row), of(*ours, row)
        ratio = f"{b / a:.2f}" if isinstance(a, int) and isinstance(b, int) else ""
        late = isinstance(b, int) and b > row.target
        missed += late
        counts = ""
        if isinstance(b, int):
            counts = "/".join(str(ours[0][row.key][k]) for k in ("tlbi", "dsb", "cache"))
            if isinstance(a, int):
                counts += "  (Xen " + "/".join(
                    str(theirs[0][row.key][k]) for k in ("tlbi", "dsb", "cache")
                ) + ")"
        show = [x if isinstance(x, int) else "error" for x in (a, b)]
        print(
            f"{row.label:38}{show[0]:>11}{show[1]:>11}{ratio:>7}{row.target:>8}"
            f"{'!' if late else ' '} {counts}"
        )
    for name, (_, errors) in (("Xen", theirs), ("Holdfast", ours)):
        for test, error in errors.items():
            print(f"{name}: {test}: {error}")
    return missed


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    ours, theirs = table(HOLDFAST, "holdfast"), table(XEN, "xen")
    say_table(ours, theirs)


if __name__ == "__main__":
    sys.exit(main())
