"""The `config` variables of Xen's ImageBuilder, as the keys of our own configuration."""
import re
import shlex

from . import Refused

ASSIGNMENT = re.compile(r"(?:export\s+)?([A-Z][A-Z0-9_]*)(?:\[(\d+)\])?=(.*)")

# Of no effect here: outputs are named on the command line, and there is no dom0 to prepare.
SILENT = {"UBOOT_SOURCE", "UBOOT_SCRIPT", "FDTEDIT", "BOOT_CMD", "FIT", "LOAD_CMD", "XEN_CMD"}


def is_imagebuilder(content):
    """Whether the first line that says something is an assignment."""
    for line in content.splitlines():
        line = line.strip()
        if line and not line.startswith("#"):
            return bool(ASSIGNMENT.match(line))
    return False


def assignments(content, path):
    """{name: value} and {(name, index): value}; only plain assignments can be read, not all of bash."""
    found = {}
    for number, line in enumerate(content.splitlines(), 1):
        try:
            words = shlex.split(line, comments=True)
        except ValueError as problem:
            raise Refused(f"{path}: line {number}: {problem}") from None
        for word in words:
            match = ASSIGNMENT.fullmatch(word)
            if word == "export":
                continue
            if not match or re.search(r"[`$]", match[3]):
                raise Refused(f"{path}: line {number}: expected NAME=value without shell syntax, got {word!r}")
            found[(match[1], int(match[2])) if match[2] else match[1]] = match[3]
    return found


def pairs(value, where):
    words = value.split()
    if len(words) % 2:
        raise Refused(f"{where}: expected addresses and sizes, got {value!r}")
    return [list(words[i : i + 2]) for i in range(0, len(words), 2)]


def number(value, where):
    try:
        return int(value, 0)
    except ValueError:
        raise Refused(f"{where}: expected a number, got {value!r}") from None


def translate_domain(i, take, path):
    where = f"{path}: DOMU_STATIC_MEM[{i}]"
    domain = {
        "name": f"domU{i}",
        "kernel": take("DOMU_KERNEL"),
        "ramdisk": take("DOMU_RAMDISK"),
        "device-tree": take("DOMU_PASSTHROUGH_DTB"),
        "memory": number(take("DOMU_MEM", "512"), f"{path}: DOMU_MEM[{i}]"),
        "cpus": number(take("DOMU_VCPUS", "1"), f"{path}: DOMU_VCPUS[{i}]"),
        "console": "none" if take("DOMU_VPL011", "1") == "0" else "vpl011",
        "properties": {},
    }
    domain["bootargs"] = take("DOMU_CMD", "console=ttyAMA0" if domain["console"] == "vpl011" else "")
    static = take("DOMU_STATIC_MEM")
    direct = take("DOMU_DIRECT_MAP", "1") != "0"
    if static:
        domain["static-memory"] = pairs(static, where)
        domain["direct-map"] = direct
    if take("DOMU_ENHANCED", "0") not in ("0", "disabled"):
        domain["properties"]["xen,enhanced"] = True
    for variable, name in (("DOMU_GRANT_VER", "max_grant_version"), ("DOMU_GRANT_FRAMES", "max_grant_frames"),
                           ("DOMU_MAPTRACK_FRAMES", "max_maptrack_frames")):  # fmt: skip
        value = take(variable)
        if value is not None:
            domain["properties"][name] = number(value, f"{path}: {variable}[{i}]")
    return {key: value for key, value in domain.items() if value is not None}


def translate(content, path, notes):
    """Our mapping; what has no counterpart costs a line in `notes`, a dom0 is refused."""
    found = assignments(content, path)
    if any((n if isinstance(n, str) else n[0]).startswith("DOM0_") for n in found):
        raise Refused(f"{path}: DOM0_...: there is no dom0; describe it as one more domU")
    mapping = {
        "memory": [found.pop("MEMORY_START", None), found.pop("MEMORY_END", None)],
        "holdfast": found.pop("HOLDFAST", None) or found.get("XEN"),
        "device-tree": found.pop("DEVICE_TREE", None),
        "bootargs": found.pop("HOLDFAST_CMD", None),
        "load": found.pop("LOAD_CMD", None),
    }
    found.pop("XEN", None)
    if None in mapping["memory"]:
        raise Refused(f"{path}: expected MEMORY_START and MEMORY_END")
    if "XEN_STATIC_HEAP" in found:
        mapping["static-heap"] = pairs(found.pop("XEN_STATIC_HEAP"), f"{path}: XEN_STATIC_HEAP")
    count = number(found.pop("NUM_DOMUS", "0"), f"{path}: NUM_DOMUS")
    mapping["domains"] = [
        translate_domain(i, lambda name, default=None, i=i: found.pop((name, i), default), path)
        for i in range(count)
    ]
    for left in found:
        name = left if isinstance(left, str) else f"{left[0]}[{left[1]}]"
        if left == "XEN_CMD":
            notes.append(f"{path}: XEN_CMD: not passed on, Holdfast has words of its own (HOLDFAST_CMD)")
        elif left not in SILENT:
            notes.append(f"{path}: {name}: not used by Holdfast, ignored")
    return {key: value for key, value in mapping.items() if value is not None}
