"""The host console: keys, and commands on a line."""
import re

import pytest

from machine import GUESTS, VARIANT, Domain, Machine


def bare(name, image, **more):
    return Domain(name, memory_mib=16, kernel=GUESTS / image, ramdisk=None, **more)


class Monitor:
    """A line that is open; a command's answer is what comes before the next prompt."""

    def __init__(self, machine):
        self.machine = machine
        machine.send("\r")
        machine.expect(r"\(HF\) > ")

    def ask(self, command):
        self.machine.send(command + "\r")
        self.machine.expect(re.escape(command) + r"\r*\n")
        self.machine.expect(r"\(HF\) > ")
        return self.machine._child.before.replace("\r", "")

    def ran(self, name):
        return [int(ms) for ms in re.findall(r"vcpu\d+: .*ran (\d+) ms", self.ask(f"vcpus {name}"))]


@pytest.fixture(name="machine", scope="module")
def machine_with_domains():
    domains = [
        bare("hog", "hog.bin", cpus=2),
        bare("idle", "idle.bin", properties={"on-reboot": '"destroy"'}),
        bare("kept", "raw.bin", properties={"on-poweroff": '"preserve"'}),
        bare("gone", "crash.bin"),
    ]
    with Machine("monitor", domains) as machine:
        machine.expect_all(
            [
                r"\(HF\) 4 of 4 domains started",
                "idle guest waits",
                r"d3: kept: ended, and is kept",
                r"d4: gone: stays dead after its crash",
            ]
        )
        yield machine


@pytest.fixture(name="monitor", scope="module")
def open_line(machine):
    return Monitor(machine)


@pytest.mark.gicv2
@pytest.mark.arm32
def test_what_is_typed(monitor):
    """Words that are none, arguments that do not fit, and a word that is put right before it is sent."""
    listed = monitor.ask("help")
    for word in ("audit", "destroy", "pause", "registers", "unpause"):
        assert re.search(rf"\(HF\) .. {word} ", listed)
    assert "(HF) memorx: no such command" in monitor.ask("memorx")
    assert "(HF) expected: memory \n" in monitor.ask("memory all")
    for wrong in ("", " nobody", " 0", " 5", " 1 2", " d", " 1x"):
        assert "(HF) expected: pause DOMAIN" in monitor.ask("pause" + wrong)
    monitor.machine.send("  memorx\x7fyy\x08\r")
    monitor.machine.expect(r"\(HF\) memory: \d+ of \d+ pages free")
    monitor.machine.expect(r"\(HF\) > ")
    monitor.machine.send("destroy 2\x15domains 2\r")
    monitor.machine.expect(r"\(HF\) d2: idle: running, 1 vCPUs")
    monitor.machine.expect(r"\(HF\) > ")


@pytest.mark.gicv2
@pytest.mark.arm32
def test_questions(monitor):
    """Of the domain that is named, or of all."""
    for name in ("2", "d2", "idle"):
        assert re.findall(r"\(HF\) (d\d+): ", monitor.ask(f"domains {name}")) == ["d2"]
    assert re.findall(r"\(HF\) (d\d+): ", monitor.ask("domains")) == ["d1", "d2", "d3"]
    assert "(HF) gone does not live" in monitor.ask("domains gone")
    assert re.search(r"audit: d1: clean\n.*audit: d3: clean\n", monitor.ask("audit"), re.S)
    mapped = monitor.ask("p2m idle")
    assert re.search(r"d2: P2M: VMID \d+, leaves of 4 KiB \d+, 2 MiB 8, 1 GiB 0;", mapped), mapped
    assert "(HF) d2: P2M: 4096 RAM pages\n" in mapped


@pytest.mark.gicv2
@pytest.mark.arm32
def test_pause(monitor):
    """A paused hog computes nothing, and waits for as many orders to go on as there were to pause."""
    assert "(HF) d1: hog: paused" in monitor.ask("pause hog")
    assert "(HF) d1: hog: paused" in monitor.ask("pause 1")
    assert "d1: hog: paused, 2 vCPUs" in monitor.ask("domains 1")
    assert len(re.findall(r"d1: vcpu\d: paused, CPU", monitor.ask("vcpus hog"))) == 2
    before = monitor.ran("hog")
    assert len(before) == 2
    registers = monitor.ask("registers hog")
    assert "(HF) d1: hog: still paused" in monitor.ask("unpause hog")
    assert monitor.ran("hog") == before
    assert monitor.ask("registers hog") == registers
    assert "(HF) d1: hog: goes on" in monitor.ask("unpause hog")
    assert "(HF) hog is not paused" in monitor.ask("unpause hog")
    while not all(now > then for now, then in zip(monitor.ran("hog"), before)):
        pass


@pytest.mark.gicv2
@pytest.mark.arm32
def test_debug_interrupt():
    """The key raises VIRQ_DEBUG: a guest that has bound it need not wait when it polls without a limit."""
    at = 0x40800000
    bind = [(at, 1), (at + 4, 0)]  # VIRQ_DEBUG, vCPU 0
    poll = [(at + 16, at + 8), (at + 20, 0), (at + 24, 1), (at + 28, 0), (at + 32, 0), (at + 36, 0)]
    with Machine("monitor-debug", [bare("domU1", "monitor.bin"), bare("domU2", "idle.bin")]) as machine:
        guest = machine.domain(1)
        machine.expect_all([r"\(d1\) monitor", "idle guest waits"])
        for where, what in bind + poll:
            guest.type(f"w {where:x} {what:x}")
            machine.expect(r"\(d1\) = ")
        guest.type(f"h 20 1 {at:x}")  # EVTCHNOP_bind_virq
        machine.expect(r"\(d1\) = 0{16}")
        machine.focus(0)
        machine.send("qm")
        machine.expect(r"\(HF\) memory: ")
        guest.type(f"h 1d 3 {at + 16:x}")  # SCHEDOP_poll
        machine.expect(r"\(d1\) = 0{16}")


@pytest.mark.gicv2
@pytest.mark.arm32
def test_registers(monitor):
    """Of a vCPU that computes and of one that waits in WFI; both go on afterwards. They are at EL1h, in Supervisor mode."""
    said, (digits, mode) = monitor.ask("registers"), (8, 0x13) if "arm32" in VARIANT else (16, 5)
    for d, v in ((1, 0), (1, 1), (2, 0)):
        pc, state = re.search(rf"d{d} vcpu{v}: pc (\w{{{digits}}}) [cp]\w* (\w{{8}})\n", said).groups()
        assert 0x40000000 <= int(pc, 16) < 0x41000000 and int(state, 16) & 31 == mode
    assert "(HF) d3: its vCPUs are gone" in said
    assert re.search(r"d1: hog: running.*d2: idle: running", monitor.ask("domains"), re.S)


@pytest.mark.gicv2
@pytest.mark.arm32
def test_ends_and_new_starts(monitor):
    """Each whatever the domain's node says: of one that lives, one that was kept, one that is dead."""
    machine = monitor.machine
    machine.send("restart idle\r")
    machine.expect(r"\(HF\) d2: idle: reboots")
    machine.expect("idle guest waits")
    machine.send("restart gone\r")
    machine.expect(r"\(HF\) d4: gone: started")
    machine.expect(r"d4: gone: stays dead after its crash")
    machine.send("restart kept\r")
    machine.expect(r"\(HF\) d3: kept: started")
    machine.expect(r"d3: kept: ended, and is kept")
    machine.send("destroy kept\r")
    machine.expect(r"\(HF\) d3: kept: powered off")
    machine.send("pause hog\rrestart hog\r")
    machine.expect(r"\(HF\) d1: hog: paused")
    machine.expect(r"\(HF\) d1: hog: started")
    machine.send("destroy kept\r")
    machine.expect(r"\(HF\) kept does not live")
    machine.send("\x03m")  # Ctrl-C closes the line, so "m" is a key again
    machine.expect(r"\(HF\) memory: \d+ of")
    machine.send(":destroy 2\rdestroy 1\r")
    machine.expect(r"\(HF\) all domains are gone: powering off")
    assert machine.wait_exit() == 0
