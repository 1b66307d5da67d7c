"""Stock Linux as a guest that knows of Xen (xen,enhanced), and the ends a guest can ask for."""
import re
import struct

import pytest

from machine import GUESTS, INITRD_STRESS, LINUX, LINUX_BACKPORTS, VARIANT, Domain, Machine, with_parameters

KERNELS = {"6.1": LINUX} | ({} if "arm32" in VARIANT else {"6.12": LINUX_BACKPORTS})
XEN_MEMORY = "/sys/devices/system/xen_memory/xen_memory0"
# What the kernel says of a good start, in its order.
GOOD_START = [
    r"Xen 4\.17 support found",
    r"xen:grant_table: Grant tables using version 1 layout",
    r"Grant table initialized",
    r"xen:events: Using FIFO-based ABI",
    r"Xen: initializing cpu0",
    r"Xen: initializing cpu1",
    r"xen:balloon: Initialising balloon driver",
]
BAD_WORDS = r"BUG|WARNING|Call trace|Oops|unable to handle|(?i:xen[^\n]*(?:fail|error|bad|illegal))"


def enhanced(name="domU1", version="6.1", **more):
    more.setdefault("properties", {})["xen,enhanced"] = True
    return Domain(name, kernel=KERNELS[version], **more)


@pytest.fixture(scope="module", params=KERNELS)
def machine(request):
    with Machine(f"xen-guest-{request.param}", [enhanced(version=request.param, cpus=2)]) as machine:
        machine.domain(1).wait_up(timeout=120)
        yield machine


@pytest.fixture
def guest(machine):
    return machine.domain(1)


def test_it_starts_as_on_xen(machine, guest):
    messages = guest.run("dmesg")
    for line in GOOD_START:
        assert re.search(line, messages), line
    assert not re.search(BAD_WORDS, messages), re.findall(f".*(?:{BAD_WORDS}).*", messages)


@pytest.mark.parametrize(
    "file, text",
    [
        ("type", "xen"),
        ("version/major", "4"),
        ("version/minor", "17"),
        ("version/extra", "-holdfast"),
        ("properties/capabilities", ("" if "arm32" in VARIANT else "xen-3.0-aarch64 ") + "xen-3.0-armv7l"),
        ("properties/features", "00016005"),
        ("properties/pagesize", "1000"),
        ("properties/virtual_start", "200000"),
        ("compilation/compiled_by", "Holdfast"),
        ("uuid", "00000000-0000-0000-0000-000000000000"),
    ],
)
def test_sys_hypervisor(guest, file, text):
    assert guest.run(f"cat /sys/hypervisor/{file}") == text


@pytest.mark.gicv2
def test_upcall_interrupt(guest):
    """The events' PPI, taken over by the kernel on each CPU."""
    assert re.search(r"\d+: .*(?:GICv3|GIC-0) +31 .* events", guest.run("grep events /proc/interrupts"))


def pages_of_domain(machine):
    """Pages of RAM that domain 1 has, as Holdfast counts them."""
    machine.focus(0)
    machine.send("d")
    return int(machine.expect(r"\(HF\) d1: [^\n]*, (\d+) of \d+ pages").group(1))


def wait_for(guest, condition):
    guest.run(f"until {condition}; do usleep 50000; done")


def test_balloon(machine, guest):
    """Memory goes back to Holdfast and comes again, to the page."""
    target = int(guest.run(f"cat {XEN_MEMORY}/target_kb"))
    before = pages_of_domain(machine)
    for _ in range(2):
        guest.run(f"echo {target - 64 * 1024} >{XEN_MEMORY}/target_kb")
        wait_for(guest, f"[ $(cat {XEN_MEMORY}/info/current_kb) -eq {target - 64 * 1024} ]")
        assert pages_of_domain(machine) == before - 64 * 256
        guest.run(f"echo {target} >{XEN_MEMORY}/target_kb")
        wait_for(guest, f"[ $(cat {XEN_MEMORY}/info/current_kb) -eq {target} ]")
        assert pages_of_domain(machine) == before


def test_cpu_hotplug(guest):
    for _ in range(3):
        guest.run("echo 0 >/sys/devices/system/cpu/cpu1/online")
        assert guest.run("nproc") == "1"
        guest.run("echo 1 >/sys/devices/system/cpu/cpu1/online")
        assert guest.run("nproc") == "2"
    guest.run("taskset 2 true")


def test_reboot_and_power_off(machine, guest):
    """By SCHEDOP_shutdown, as an enlightened kernel does; the next kernel registers all anew."""
    guest.type("reboot")
    machine.expect(r"\(HF\) d1: domU1: reboots", timeout=60)
    guest.wait_up(timeout=120)
    assert guest.run("cat /sys/hypervisor/type") == "xen"
    guest.type("poweroff")
    machine.expect(r"\(HF\) d1: domU1: powered off", timeout=60)
    assert machine.wait_exit() == 0


def test_without_the_node():
    """The same kernel where nobody tells it of Xen."""
    domain = Domain("domU1", properties={"xen,enhanced": '"disabled"'})
    with Machine("xen-not-told", [domain]) as machine:
        guest = machine.domain(1)
        guest.wait_up(timeout=120)
        assert guest.run("ls /sys/hypervisor 2>&1 || true").find("version") < 0
        assert "Xen 4.17 support found" not in machine.log()


@pytest.mark.not_on(arm32="its RAM disk has stress-ng for 64 bits")
def test_stress():
    """Four vCPUs on two CPUs under processes, faults, memory, timers and signals, with CPUs going and coming
    and the balloon at work. In real time, so the kernel is not to judge how long its CPUs have to wait."""
    bootargs = "console=ttyAMA0 hostname=domU1 panic=-1 nowatchdog rcupdate.rcu_cpu_stall_suppress=1 workqueue.watchdog_thresh=0"
    domain = enhanced(cpus=4, memory_mib=512, ramdisk=INITRD_STRESS, bootargs=bootargs)
    with Machine("stress", [domain, Domain("domU2")], icount=False) as machine:
        guest = machine.domain(1)
        guest.wait_up(timeout=120)
        target = int(guest.run(f"cat {XEN_MEMORY}/target_kb"))
        guest.type(
            "/usr/bin/stress-ng --cpu 2 --fork 1 --fault 1 --vm 2 --vm-bytes 32M --switch 1 --timer 1 --sigq 1 "
            "--timeout 10 --oomable --temp-path /tmp; echo stress ended with $?"
        )
        machine.expect(r"stress-ng: info: [^\n]*dispatching hogs", timeout=60)
        machine.expect(r"stress ended with 0", timeout=180)
        for cpu in (1, 2, 3):
            guest.run(f"echo 0 >/sys/devices/system/cpu/cpu{cpu}/online")
            guest.run(f"echo 1 >/sys/devices/system/cpu/cpu{cpu}/online")
        guest.run(f"echo {target - 128 * 1024} >{XEN_MEMORY}/target_kb")
        wait_for(guest, f"[ $(cat {XEN_MEMORY}/info/current_kb) -eq {target - 128 * 1024} ]")
        assert guest.run("nproc") == "4"
        messages = guest.run("dmesg")
        assert not re.search(BAD_WORDS, messages), re.findall(f".*(?:{BAD_WORDS}).*", messages)
        machine.focus(0)
        machine.send("a")
        machine.expect_all([r"\(HF\) audit: d1: clean", r"\(HF\) audit: d2: clean"])


# ---- the console ring ----


@pytest.mark.parametrize("version", KERNELS)
def test_console_ring(version):
    """A guest whose only console is hvc0: what it says arrives whole, and what is typed too."""
    domain = enhanced(
        version=version,
        cpus=2,
        bootargs="console=hvc0 hostname=domU1 panic=-1",
        properties={"vpl011": None, "holdfast,pv-console": True},
    )
    with Machine(f"console-ring-{version}", [domain]) as machine:
        guest = machine.domain(1)
        guest.wait_up(timeout=120)
        assert guest.run("cat /proc/consoles").startswith("hvc0 ")
        numbers = guest.run("seq 1 3000", timeout=60).split()
        assert numbers == [str(n) for n in range(1, 3001)]
        text = "0123456789" * 12
        assert guest.run(f"echo {text} | wc -c") == "121"
        guest.type("poweroff")
        machine.expect(r"\(HF\) d1: domU1: powered off", timeout=60)


def test_two_consoles():
    """vpl011 and the ring side by side: the switch goes through both."""
    domain = enhanced(properties={"holdfast,pv-console": True})
    with Machine("two-consoles", [domain]) as machine:
        guest = machine.domain(1)
        guest.wait_up(timeout=120)
        guest.run("echo by-the-ring >/dev/hvc0")
        machine.told(r"\n\(d1\) by-the-ring\n")
        machine.send("\x01\x01\x01")
        machine.expect(r"Serial input to domU1 hvc0 \(d1\)")


def test_console_by_hypercall():
    """Text and keys of a domain that has neither vpl011 nor ring."""
    domain = Domain(
        "domU1",
        memory_mib=16,
        kernel=GUESTS / "console_io.bin",
        ramdisk=None,
        properties={"vpl011": None},
    )
    with Machine("console-io", [domain]) as machine:
        machine.expect(r"\(d1\) guest without a device listens")
        machine.domain(1).type("typed by hand")
        machine.expect(r"\(d1\) typed by hand\r*\n")
        assert machine.wait_exit() == 0


def test_early_console_by_hypercall():
    domain = enhanced(bootargs="console=ttyAMA0 earlycon=xenboot hostname=domU1 panic=-1")
    with Machine("xenboot", [domain]) as machine:
        machine.expect(r"\(d1\) [^\n]*Booting Linux on physical CPU")
        machine.expect(r"bootconsole \[xenboot0\] enabled")
        machine.domain(1).wait_up(timeout=120)


# ---- ends ----


@pytest.mark.parametrize(
    "reason, latched, end",
    [
        (0, None, "powered off"),
        (1, None, "reboots"),
        (2, None, "stays dead after it suspended"),
        (3, None, "stays dead after its crash"),
        (4, None, "stays dead after its watchdog fired"),
        (5, None, "reboots"),
        (77, None, "stays dead after its crash"),
        (1, 0, "powered off"),
        (0, 1, "reboots"),
    ],
)
def test_shutdown_reasons(reason, latched, end):
    words = struct.pack("<II", reason, 0 if latched is None else latched + 1)
    file = with_parameters("shutdown", f"shutdown-{reason}-{latched}", words)
    domain = Domain("domU1", memory_mib=16, kernel=file, ramdisk=None)
    with Machine(f"shutdown-{reason}-{latched}", [domain]) as machine:
        machine.expect("guest shuts itself down")
        machine.expect(rf"\(HF\) d1: domU1: {end}")
        assert "runs on" not in machine.log()
