"""Holdfast on a 32-bit machine: all CPUs, memory outside the direct map, 32-bit guests."""
import re
import subprocess

import pytest

from machine import ARM32, BUILD, ROOT, TREE_AT, Domain, Machine
from test_monitor import Monitor
from test_panic import Stub, symbol
from test_trace import timeline

pytestmark = pytest.mark.not_on(gicv2="a 32-bit machine")

SP = 13  # gdb's number of it
ZIMAGE = BUILD / "guests/a32/zimage.bin"


def machine32(name, domains, **options):
    return Machine(name, domains, **(ARM32 | options))


def bare(name, kernel=ZIMAGE, **properties):
    return Domain(name, kernel=kernel, ramdisk=None, memory_mib=16, properties=properties)


# With 1 GiB and less all memory is in the direct map, with more the guests' is not.
@pytest.mark.parametrize("cpu, smp, memory", [("cortex-a15", 2, "2G"), ("cortex-a7", 4, "1G")])
def test_bare_guests(cpu, smp, memory):
    domains = [bare("one"), bare("two")]
    targets, history = {"cortex-a15": ("vulnerable", "mitigated"), "cortex-a7": ("not affected", "not affected")}[cpu]
    with machine32(f"arm32-{cpu}", domains, cpu=cpu, smp=smp, memory=memory) as machine:
        machine.expect(rf"cpus: {smp} of {smp} online")
        machine.expect(f"speculation: branch targets {targets}, branch history {history}, stores not affected")
        machine.expect_all([rf"\(d{n}\) zImage runs" for n in (1, 2)])
        machine.wait_exit()


def test_monitor_trace_and_watchdogs():
    """Of a domain that makes hypercalls without end, and one whose watchdog fires twice; the CPUs watch each
    other meanwhile and have nothing to say."""
    spin, watched = BUILD / "guests/a32/spin.bin", BUILD / "guests/a32/watchdog.bin"
    ends = {"on-watchdog": '"restart"', "restart-limit": "<1>"}
    domains = [bare("hog", spin), bare("watched", watched, **ends)]
    with machine32("arm32-monitor", domains, hv_bootargs="watchdog=1") as machine:
        for end in ("is restarted", "stays dead after its watchdog fired"):
            machine.expect(r"\(HF\) d2: watched: a watchdog of the domain fired")
            machine.expect(r"\(HF\) d2: watched: " + end)
        monitor = Monitor(machine)
        assert "d1: hog: running" in monitor.ask("domains")
        assert "watched does not live" in monitor.ask("domains watched")
        assert "audit: d1: clean" in monitor.ask("audit")
        assert "4096 RAM pages" in monitor.ask("p2m hog")
        assert re.search(r"memory: \d+ of \d+ pages free", monitor.ask("memory"))
        assert "hog: paused" in monitor.ask("pause hog")
        ran, registers = monitor.ran("hog"), monitor.ask("registers hog")
        assert re.search(r"d1 vcpu0: pc [0-9a-f]{8} ", registers), registers
        assert monitor.ran("hog") == ran
        assert "hog: goes on" in monitor.ask("unpause hog")
        monitor.ask("trace on")
        while monitor.ran("hog") == ran:
            pass
        monitor.ask("trace off")
        machine.send("trace dump\r")
        machine.expect(r"trace: end", timeout=120)
        log = machine.log()
    assert "did not come by" not in log
    path = BUILD / "tests/arm32-monitor.trace"
    path.write_text(log, encoding="utf-8")
    assert {e["name"] for e in timeline(path) if e["pid"] == 2 and e["ph"] == "X"} == {"xen_version"}


def test_entries_where_prediction_is_cleared(tmp_path):
    """A Cortex-A15 has other vectors, which tell by SP what the entry was. QEMU's has not the bit set by which an
    invalidation does anything, so that only the history is seen to."""
    elf, options = BUILD / "arm32/holdfast.elf", ["-gdb", f"unix:{tmp_path / 'gdb'},server=on,wait=off"]
    hog = bare("hog", BUILD / "guests/a32/spin.bin")
    with machine32("arm32-hardened", [hog], smp=1, options=options) as machine:
        machine.expect("1 of 1 domains started")
        stub = Stub(tmp_path / "gdb")  # the machine is halted
        stub.run_to(symbol("guest_hardened", elf))
        sp = stub.read(SP)
        stub.run_to(symbol({3: "guest_trap", 2: "guest_irq"}[sp & 7], elf))
        assert stub.read(SP) == sp & ~7
        stub.go_on()


def test_own_table_and_stacks_are_checked(tmp_path):
    """As test_panic.py has it for arm64: what the word below return addresses is compared with changes."""
    elf, options = BUILD / "arm32/holdfast.elf", ["-gdb", f"unix:{tmp_path / 'gdb'},server=on,wait=off"]
    with machine32("arm32-stack", [], smp=1, options=options) as machine:
        machine.expect(r"own table: \d+ KiB of code, nothing writable is executable\r*\n")
        machine.expect("0 of 0 domains started")
        stub = Stub(tmp_path / "gdb")  # the machine is halted
        machine.send("h")
        stub.run_to(symbol("vprintk", elf))
        stub.write_memory(symbol("__stack_chk_guard", elf), bytes(range(4)))
        stub.go_on()
        machine.expect(r"\(HF\) panic on CPU \d: a function found its stack overwritten")
        machine.expect(r"machine stopped")


def test_two_linux_guests_by_u_boot():
    """What `make run ARCH=arm32` starts, by bootz: Debian's armhf kernel to its shell in both guests, on two
    vCPUs in one, once more after a reboot; and off. Without icount, machine.py says why: so no CPU is turned off here, for
    which Linux has 0.2 s of the host's time (test_xen_guest does it)."""
    folder = BUILD / "tests/arm32-linux"
    folder.mkdir(parents=True, exist_ok=True)
    disk = folder / "disk.img"
    image = [ROOT / "scripts/holdfast-image", ROOT / "dts/linux-arm32.yaml", "disk", disk, "--set", "bootargs=audit"]
    subprocess.run(image, check=True)
    with machine32("arm32-linux", [], boot=disk, icount=False) as machine:
        machine.expect(r"\(HF\) 2 of 2 domains started")
        machine.expect_all([f"guest domU{n}: userspace up" for n in (1, 2)], timeout=180)
        domain = machine.domain(1)
        assert "armv7l" in domain.run("uname -m")
        assert domain.run("nproc") == "2"
        domain.run("taskset 2 sleep 0.5")  # its CPU wakes up by its own timer
        domain.type("reboot")
        machine.expect(r"d1: domU1: reboots")
        domain.wait_up(timeout=120)
        assert domain.run("nproc") == "2"
        for n in (1, 2):
            machine.domain(n).type("poweroff")
            machine.expect(rf"d{n}: domU{n}: powered off")
        assert machine.wait_exit() == 0


def test_static_heap_out_of_reach():
    """Holdfast's own tables lie in the GiB it was loaded to."""
    heap = "xen,static-heap = <0 0xa0000000 0 0x20000000>;"
    with machine32("arm32-heap", [bare("one")], chosen=heap) as machine:
        machine.expect(r"\(HF\) error: /chosen: xen,static-heap: expected [^\n]* in the GiB that Holdfast is in; not used")
        machine.expect(r"\(d1\) zImage runs")
        assert machine.wait_exit() == 0


def test_built_by_clang():
    """The same sources by clang and ld.lld."""
    command = ["env", "-u", "MAKEFLAGS", "-u", "MAKELEVEL", "make", "-s", "-j2", "ARCH=arm32", "LLVM=1", "all"]
    subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    image = BUILD / "arm32-llvm/holdfast.bin"
    with machine32("arm32-clang", [bare("one"), bare("two")], holdfast=image) as machine:
        machine.expect_all([rf"\(d{n}\) zImage runs" for n in (1, 2)])
        assert machine.wait_exit() == 0


def test_bootm_of_a_uimage():
    """U-Boot unpacks it to the address that mkimage was told, and starts it there."""
    packed = BUILD / "tests/arm32-uimage.bin"
    at = "0x48000000"
    command = ["mkimage", "-A", "arm", "-O", "linux", "-T", "kernel", "-C", "none", "-a", at, "-e", at]
    subprocess.run([*command, "-d", ARM32["holdfast"], packed], check=True, stdout=subprocess.DEVNULL)
    options = ["-device", f"loader,file={packed},addr=0x4a000000,force-raw=on"]
    start = f"bootm 0x4a000000 - {TREE_AT:#x}\n"
    with machine32("arm32-uimage", [bare("one")], boot="u-boot", u_boot_commands=start, options=options) as machine:
        machine.expect(rf"\(HF\) Holdfast \S+ \(build \w+\) at {at}, ")
        machine.expect(r"\(d1\) zImage runs")
        assert machine.wait_exit() == 0
