"""The examples of the documentation do what the text says."""
import re
import subprocess
import time

import pytest

from machine import BUILD, GUESTS, HOLDFAST, INITRD, INITRD_DEVICES, LINUX, ROOT, Domain, Machine


def example(document, first_line):
    """The indented block of a document that starts with that line, without its indentation."""
    text = (ROOT / document).read_text(encoding="utf-8")
    block = re.search(rf"^    {re.escape(first_line)}\n(?:    .*\n|\n(?=    ))*", text, re.M)
    assert block, f"{document} has no example starting with {first_line!r}"
    return re.sub(r"^    ", "", block.group(0), flags=re.M)


@pytest.mark.not_on(arm32="README's guest is for a 64-bit machine")
def test_the_guest_of_the_readme():
    inside = re.search(r"\{\n(.*)\};", example("README.md", "/chosen {"), re.S).group(1)
    machine = Machine("docs-readme", [], chosen=inside)
    for file, at in ((LINUX, "0x50000000"), (INITRD, "0x58000000")):
        machine.command += ["-device", f"loader,file={file},addr={at},force-raw=on"]
    with machine:
        machine.expect(r"\(HF\) d1: domU1: started, 2 vCPUs, 512 MiB")
        machine.expect(r"\(d1\) guest [^\n]*: userspace up", timeout=120)


@pytest.mark.not_on(arm32="the guide's guest is for a 64-bit machine")
def test_the_guest_of_the_passthrough_guide():
    inside = re.search(r"\{\n(.*)\};", example("docs/passthrough.md", "/chosen {"), re.S).group(1)
    disk = BUILD / "tests/docs-disk.img"
    disk.write_bytes(bytes(1 << 20))
    options = ["-drive", f"if=none,id=disk,format=raw,file={disk}"]
    options += ["-device", "nvme,drive=disk,serial=holdfast,addr=2"]
    machine = Machine("docs-passthrough", [], chosen=inside, options=options)
    for file, at in ((LINUX, "0x50000000"), (INITRD_DEVICES, "0x58000000")):
        machine.command += ["-device", f"loader,file={file},addr={at},force-raw=on"]
    with machine:
        machine.expect(r"\(d1\) guest [^\n]*: userspace up", timeout=120)
        machine.domain(1).run("dd if=/dev/nvme0n1 of=/dev/null bs=64k", timeout=60)


def test_the_pool_and_affinity_of_the_scheduling_guide():
    """In one machine: a domain in the pool, and one whose vCPU is bound to a CPU that is not in its."""
    pool = example("docs/scheduling.md", "fast: fast {")
    vcpu = example("docs/scheduling.md", "vcpu0 {")
    guest = {"kernel": GUESTS / "idle.bin", "ramdisk": None, "memory_mib": 16}
    domains = [
        Domain("there", properties={"domain-cpupool": "<&fast>"}, nodes=vcpu, **guest),
        Domain("outside", nodes=vcpu, **guest),
    ]
    with Machine("docs-scheduling", domains, chosen=pool) as machine:
        machine.expect(r"\(HF\) CPU pool fast: a CPU for each vCPU", timeout=30)
        machine.expect(r"\(HF\) error: /chosen/outside/vcpu0: hard-affinity: expected a CPU of pool default")
        machine.expect(r"\(HF\) 1 of 2 domains started")
        machine.send("s")
        machine.expect(r"vcpu0: \w+, CPU 1 of pool fast")


def test_the_event_channel_of_the_device_tree_reference():
    """Its two nodes in two domains that say which ports they were given, and to what they lead."""
    text = example("docs/device-tree.md", "left {")
    ends = re.findall(r"^    (ec\d: evtchn@1 \{\n.*?^    \};\n)", text, re.S | re.M)
    assert len(ends) == 2
    domains = [
        Domain(f"domU{n}", memory_mib=16, kernel=GUESTS / "evtchn.bin", ramdisk=None, nodes=node)
        for n, node in enumerate(ends, 1)
    ]
    with Machine("docs-evtchn", domains) as machine:
        machine.expect(r"\(HF\) 2 of 2 domains started", timeout=30)
        said = (r"\(d{}\) port 0x{:08x}", r"\(d{}\) leads to domain 0x{:08x}", r"\(d{}\) port there 0x{:08x}")
        machine.expect_all(line.format(n, value) for n, *values in ((1, 10, 2, 20), (2, 20, 1, 10)) for line, value in zip(said, values))


def test_the_error_of_the_device_tree_reference():
    """The message quoted in docs/device-tree.md, for the mistake it names."""
    quoted = example("docs/device-tree.md", "(HF) error: /chosen/domU2: memory: expected 2 cells (KiB), got 12 bytes; domain not started")
    node = 'domU2 {\ncompatible = "xen,domain";\ncpus = <1>;\nmemory = <0 1 2>;\n};\n'
    with Machine("docs-error", [], chosen=node) as machine:
        machine.expect(re.escape(quoted.strip()), timeout=30)


@pytest.mark.not_on(arm32="the guide's session is with a 64-bit machine")
def test_the_breakpoint_of_the_porting_guide():
    """It is where the image's first instruction, a branch, leads to at the load address of the text; that of arm32
    stands behind eight that do nothing."""
    guide = (ROOT / "docs/porting.md").read_text(encoding="utf-8")
    first = int.from_bytes(HOLDFAST.read_bytes()[:4], "little")
    assert first >> 26 == 0b000101
    entry = 0x40200000 + 4 * (first & 0x3FFFFFF)
    assert f"(gdb) hbreak *{entry:#x}\n" in guide
    first = int.from_bytes((BUILD / "arm32/holdfast.bin").read_bytes()[32:36], "little")
    assert first >> 24 == 0xEA
    assert f"`primary_entry` is {32 + 8 + 4 * (first & 0xFFFFFF):#x} above the load address" in guide.replace("\n  ", "")


@pytest.mark.not_on(arm32="the guide's session is with a 64-bit machine")
def test_the_debugger_of_the_porting_guide():
    """Its commands, on a machine that waits for them, stop where the text says."""
    text = (ROOT / "docs/porting.md").read_text(encoding="utf-8")
    commands = re.findall(r"^ +\(gdb\) (.*)$", text, re.M)
    assert commands.count("continue") == 2 and commands[0] == "target remote :1234"
    machine = Machine("docs-gdb", [])
    port = (machine.directory / "gdb").relative_to(ROOT)  # short enough for a socket's name
    (ROOT / port).unlink(missing_ok=True)
    machine.command += ["-S", "-gdb", f"unix:{port},server=on,wait=off"]
    commands[0] = f"target remote {port}"
    commands.insert(commands.index("continue") + 1, "x/wx $x0")
    gdb = ["gdb-multiarch", "-nx", "-batch", str(HOLDFAST.with_suffix(".elf"))]
    gdb += [word for command in commands + ["continue"] for word in ("-ex", command)]
    with machine:
        for _ in range(600):
            if (ROOT / port).exists():
                break
            time.sleep(0.1)
        said = subprocess.run(gdb, cwd=ROOT, capture_output=True, text=True, timeout=120).stdout
    stops = re.findall(r"Breakpoint [\d.]+, (?:0x\w+ in )?(\w+)|:\s+(0xedfe0dd0)$", said, re.M)
    assert ["".join(stop) for stop in stops] == ["primary_entry", "0xedfe0dd0", "hv_main", "gic_probe"], said


def test_symbols_of_the_first_instructions(tmp_path):
    """`early` of the debugger's script, at a load address, for both architectures."""
    script = (ROOT / "scripts/holdfast.gdb").read_text(encoding="ascii")
    (tmp_path / "early").write_text(re.search(r"^python\n.*?^end\n", script, re.M | re.S).group(0), encoding="ascii")
    for arch, entry in (("arm64", 0x40400040), ("arm32", 0x40400030)):
        gdb = ["gdb-multiarch", "-nx", "-batch", "-ex", "set confirm off", "-x", str(tmp_path / "early"), "-ex", "early 0x40400000"]
        gdb += ["-ex", f"info symbol {entry:#x}", str(BUILD / arch / "holdfast.elf")]
        said = subprocess.run(gdb, capture_output=True, text=True, timeout=120).stdout
        assert "\nprimary_entry in section .text" in said, said


def test_the_devices_of_the_board_notes():
    """Every UART and interrupt controller that has a driver stands there, and nothing else."""
    rows = re.findall(r"^\| (?:interrupt controller |UART )?\| (.*) \| `(drivers/\S+)` \|$", (ROOT / "docs/boards.md").read_text(encoding="utf-8"), re.M)
    told = {(name, file) for names, file in rows for name in re.findall(r"`([^`]+)`", names)}
    pattern = r'uart_driver \w+ = \{"([^"]+)"|fdt_next_compatible\(fdt, -1, "([^"]+)"|"(arm,(?:gic-400|cortex-a\d+-gic))"'
    known = {
        ("".join(match), str(file.relative_to(ROOT)))
        for folder in ("uart", "gic")
        for file in (ROOT / "drivers" / folder).glob("*.c")
        for match in re.findall(pattern, file.read_text(encoding="ascii"))
    }
    assert told == known


def test_the_tests_of_the_security_table():
    """Each that it names is there: a file of tests, or a test."""
    table = re.findall(r"^\| (?!class|-)[^|]* \|([^|]*)\|$", (ROOT / "docs/security.md").read_text(), re.M)
    named = {name for tests in table for name in re.findall(r"`(\w+)`", tests)}
    files = [file for suffix in ("c", "py") for file in (ROOT / "tests").rglob(f"*.{suffix}")]
    text = "\n".join(file.read_text() for file in files)
    defined = {file.stem for file in files}
    defined |= set(re.findall(r"^(?:def |static void |\w*TEST\w*\()(\w+)\(?", text, re.M))
    assert len(named) > 60 and not named - defined, named - defined
