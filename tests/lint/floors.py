"""Checks that includes and calls go only down the floors of the design.

A directory has a floor (FLOORS); a header in include/hv names its own in its first comment
("Floor 3: ..."). A file may include headers of its own floor and below. After a build, the symbols of
the objects are checked too: an object may refer to what its own floor and lower ones define; a floor
calls upward only through what was registered from above.

    tests/lint/floors.py ARCH
"""
import pathlib
import re
import subprocess
import sys

FLOORS = [
    ("include/public", 0),
    # The architecture's half of the hypervisor's own page tables.
    ("arch/*/cpu/mmu.c", 3),
    ("arch/*/cpu/mapwin.c", 3),
    ("arch/*/include/asm/hyp_pte.h", 3),
    ("arch/*/include/asm/abort_reg.h", 6),
    ("arch/*/include/asm/speculation.h", 6),
    ("arch/*/include", 1),
    ("arch/*/cpu", 1),
    ("common/lib", 2),
    ("include/libfdt", 2),
    ("common/mm", 3),
    ("common/core", 4),
    ("drivers", 5),
    ("common/virt", 6),
    ("arch/*/guest", 6),
    ("common/abi", 7),
    ("common/boot", 8),
    ("arch/*/entry", 9),
]

# Compiled for its numbers, never linked: it may look at every structure.
EVERYTHING = {"offsets.c"}

# Reporting and the C library's own functions serve every floor, and panic never comes back.
ANYWHERE = {"include/hv/printk.h", "include/hv/string.h", "include/hv/spinlock.h"}
ANYWHERE_CALLS = {"panic", "printk", "memcpy", "memset", "memmove", "memcmp", "strlen"}
ANYWHERE_CALLS |= {"spin_lock", "spin_unlock", "cpu_number"}
ANYWHERE_CALLS |= {"__stack_chk_fail", "__stack_chk_guard"}  # the compiler's

INCLUDE = re.compile(r'^\s*#\s*include\s+[<"]((?:hv|asm|public)/[^>"]+|[^/>"]+\.h)[>"]')


def floor_of_directory(path):
    for pattern, floor in FLOORS:
        parts = len(pathlib.PurePath(pattern).parts)
        if pathlib.PurePath(*path.parts[:parts]).match(pattern):
            return floor
    return None


def floor_of(path):
    """The floor of a source file, or None when it names none."""
    if path.parts[:2] == ("include", "hv"):
        found = re.search(r"\bFloors? (\d)", path.read_text(encoding="utf-8")[:600])
        return int(found.group(1)) if found else None
    return floor_of_directory(path)


def find_header(name, source, arch):
    """The file an include line means, when it is one of ours."""
    for directory in (source.parent, *map(pathlib.Path, ("include", f"arch/{arch}/include", "arch/arm/include"))):
        path = directory / name
        if path.exists():
            return path
    return None


def check_includes(sources, arch):
    for source in sources:
        floor = floor_of(source)
        if floor is None:
            yield f"{source}:1: no floor is known for this file"
            continue
        if source.name in EVERYTHING:
            continue
        for number, line in enumerate(source.read_text(encoding="utf-8").split("\n"), 1):
            found = INCLUDE.match(line)
            header = find_header(found.group(1), source, arch) if found else None
            if header is None or str(header) in ANYWHERE:
                continue
            above = floor_of(header)
            if above is not None and above > floor:
                yield f"{source}:{number}: floor {floor} includes {header} of floor {above}"


def symbols(path, kinds):
    listing = subprocess.run(["nm", path], check=True, capture_output=True, text=True).stdout
    for line in listing.splitlines():
        *_, kind, name = line.split()
        if kind in kinds:
            yield name


def line_of(source, name):
    """Where a name is first used."""
    for number, line in enumerate(source.read_text(encoding="utf-8").split("\n"), 1):
        if re.search(rf"\b{re.escape(name)}\b", line) and not line.lstrip().startswith(("*", "//")):
            return number
    return 1


def check_calls(sources, build):
    # What assembly defines for others (the image's start, first instructions of a CPU or a vCPU, boot
    # page tables) are places in the image, not services of the entry floor.
    defined = {}
    objects = {}
    for source in sources:
        compiled = build / source.with_suffix(".o")
        if source.suffix in (".c", ".S") and compiled.exists():
            objects[source] = compiled
            if source.suffix == ".c":
                defined |= {name: source for name in symbols(compiled, "TDBRCW")}
    for source, compiled in objects.items():
        floor = floor_of(source)
        for name in symbols(compiled, "U"):
            if name not in defined or name in ANYWHERE_CALLS:
                continue
            above = floor_of(defined[name])
            if above is not None and floor is not None and above > floor:
                yield (
                    f"{source}:{line_of(source, name)}: floor {floor} uses {name} of "
                    f"{defined[name]}, floor {above}"
                )


def main():
    arch = sys.argv[1]
    sources = [
        path
        for top in ("include", "common", "drivers", "arch/arm", f"arch/{arch}")
        for path in sorted(pathlib.Path(top).rglob("*"))
        if path.suffix in (".c", ".h", ".S") and not path.name.endswith(".lds.S")
    ]
    problems = list(check_includes(sources, arch))
    problems += check_calls(sources, pathlib.Path("build") / arch)
    print("\n".join(problems) if problems else f"{len(sources)} files, no way up")
    sys.exit(1 if problems else 0)


main()
