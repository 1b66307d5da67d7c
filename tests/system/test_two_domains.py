"""The main case: U-Boot starts Holdfast, which starts two Linux domains. One machine for all tests
of this file, in order; the last one powers it off."""
import re

import pytest

from machine import Domain, Machine


@pytest.fixture(scope="module")
def machine():
    domains = [Domain("domU1", cpus=2, memory_mib=512), Domain("domU2", quick=False)]
    with Machine("two-domains", domains, boot="u-boot") as started:
        yield started


def timer_interrupts(domain):
    counts = re.search(r":((?:\s+\d+)+)", domain.run("grep arch_timer /proc/interrupts"))[1]
    return sum(int(n) for n in counts.split())


def uptime(domain):
    return float(domain.run("cat /proc/uptime").split()[0])


def test_both_shells(machine):
    machine.expect("2 of 2 domains started")
    machine.expect_all([f"guest domU{n}: userspace up" for n in (1, 2)], timeout=120)
    assert machine.domain(1).run("hostname") == "domU1"
    assert machine.domain(2).run("hostname") == "domU2"


def test_lines_are_marked(machine):
    log = machine.log()
    assert re.search(r"\(HF\) d1: domU1: started", log)
    assert re.search(r"\(HF\) d2: domU2: started", log)
    assert re.search(r"\(d1\) .*guest domU1: userspace up", log)
    assert re.search(r"\(d2\) .*guest domU2: userspace up", log)


def test_cpus(machine):
    assert machine.domain(1).run("nproc") == "2"
    assert machine.domain(2).run("nproc") == "1"


@pytest.mark.parametrize("number, mib", [(1, 512), (2, 256)])
def test_memory(machine, number, mib):
    kib = int(machine.domain(number).run("grep MemTotal /proc/meminfo").split()[1])
    # Linux keeps its own image and page structures out of the total.
    assert (mib - 64) * 1024 < kib <= mib * 1024


@pytest.mark.parametrize("number", [1, 2])
def test_timer_ticks(machine, number):
    domain = machine.domain(number)
    ticks = timer_interrupts(domain)
    # One command: between two, the machine's time runs ahead while everybody waits for the keyboard.
    text = domain.run("cat /proc/uptime; sleep 2; cat /proc/uptime")
    before, after = (float(line.split()[0]) for line in text.splitlines())
    assert 2 <= after - before < 3
    assert timer_interrupts(domain) > ticks


def test_interrupts(machine):
    text = machine.domain(1).run("cat /proc/interrupts")
    uart = re.search(r"(\d+)\s+(\d+)\s+(?:GICv3|GIC-0)\s+\d+\s+Level\s+uart-pl011", text)
    assert uart and int(uart[1]) + int(uart[2]) > 0
    timers = re.search(r"(\d+)\s+(\d+)\s+(?:GICv3|GIC-0)\s+27\s+Level\s+arch_timer", text)
    assert timers and int(timers[1]) > 0 and int(timers[2]) > 0
    calls = [int(n) for n in re.search(r"IPI\d:\s+(\d+)\s+(\d+)\s+Resched", text).groups()]
    assert sum(calls) > 0


def test_work_on_both_cpus(machine):
    """Floating point and memory on two CPUs at once give the same as one after the other."""
    command = "awk 'BEGIN { for (i = 1; i < 20000; i++) s += 1 / i; print s }'"
    output = machine.domain(1).run(
        f"for c in 0 1 0 1; do taskset $((c + 1)) {command} & done; wait; echo", timeout=60
    )
    assert len(set(re.findall(r"10\.\d+", output))) == 1
    assert len(re.findall(r"10\.\d+", output)) == 4


def test_cpu_hotplug(machine):
    """CPU_OFF, AFFINITY_INFO and CPU_ON by the guest's own hand."""
    domain = machine.domain(1)
    online = "/sys/devices/system/cpu/cpu1/online"
    for _ in range(3):
        domain.run(f"echo 0 >{online}")
        assert domain.run("nproc") == "1"
        domain.run(f"echo 1 >{online}")
        assert domain.run("nproc") == "2"


def test_suspend_to_idle(machine):
    """Linux stops everything but what may wake it up, its console, and goes on when that does."""
    domain = machine.domain(1)
    domain.run("echo enabled >/sys/class/tty/ttyAMA0/power/wakeup")
    assert "freeze" in domain.run("cat /sys/power/state").split()
    domain.type("echo freeze >/sys/power/state; echo $((41 + 1)) woken")
    machine.expect(r"PM: suspend entry \(s2idle\)")
    machine.expect(r"Suspending console")
    machine.domain(2).run("sleep 5")
    assert "suspend exit" not in machine.log()
    domain.type("")
    machine.expect(r"PM: suspend exit")
    machine.expect("42 woken")
    assert domain.run("nproc") == "2"


def test_long_output(machine):
    """More than any buffer holds arrives complete."""
    output = machine.domain(2).run("seq 1 3000", timeout=60)
    assert [int(n) for n in output.split()] == list(range(1, 3001))


def test_input_switch_cycles(machine):
    seen = []
    for _ in range(6):
        machine.focused = None
        machine._child.send("\x01\x01\x01")
        seen.append(re.search(r"d(\d)\b|$", machine.expect(r"Serial input to ([^\n]*)\n")[1])[1])
    # Holdfast (none), d1, d2, and round
    start = seen.index(None)
    assert (seen * 2)[start : start + 6] == [None, "1", "2"] * 2


def test_reboot_five_times(machine):
    """domU1 reboots; domU2 runs on and does not notice."""
    other = machine.domain(2)
    before, ticks = uptime(other), timer_interrupts(other)
    rebooted = machine.domain(1)
    for _ in range(5):
        rebooted.type("reboot")
        rebooted.wait_up(timeout=120)
        assert uptime(rebooted) < uptime(other)
    assert rebooted.run("nproc") == "2"
    assert uptime(other) > before
    assert timer_interrupts(other) > ticks
    assert machine.log().count("guest domU2: userspace up") == 1


def test_poweroff_ends_the_machine(machine):
    machine.domain(2).type("poweroff")
    machine.expect(r"\(HF\) d2:[^\n]*(?:power|shut)", timeout=60)
    assert machine.domain(1).run("nproc") == "2"
    machine.domain(1).type("poweroff")
    machine.expect("all domains are gone")
    assert machine.wait_exit() == 0
