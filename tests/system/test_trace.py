"""A trace: taken, read from the console and from the machine's memory, and decoded."""
import importlib.util
import json
import re
import subprocess

import pytest

from machine import GUESTS, ROOT, Domain, Machine

spec = importlib.util.spec_from_file_location("trace", ROOT / "scripts/trace.py")
decoder = importlib.util.module_from_spec(spec)
spec.loader.exec_module(decoder)


def bare(name, image, **more):
    return Domain(name, memory_mib=16, kernel=GUESTS / image, ramdisk=None, **more)


def timeline(path):
    """What the script makes of a file, as somebody would call it."""
    script = [ROOT / "scripts/trace.py", path]
    return json.loads(subprocess.run(script, check=True, capture_output=True).stdout)["traceEvents"]


def named(events, name, pid):
    return [e for e in events if e["name"] == name and e["pid"] == pid]


def end(slice):
    return slice["ts"] + slice["dur"]


def holds(slice, at):
    """With what the conversion to microseconds may have rounded: a tick is 0.016 of them."""
    return slice["ts"] - 0.001 <= at <= end(slice) + 0.001


def dumped(machine, log, memory):
    """The timeline of what was traced, which the console and the machine's memory agree on."""
    machine.send("trace off\r")
    machine.expect("trace: off")  # nobody writes any more
    machine.send("trace dump\r")
    machine.expect(r"trace: end", timeout=120)
    log.write_text(machine.log(), encoding="utf-8")
    by_log, by_memory = decoder.load(log), decoder.load(memory)
    assert by_log.records and by_log.records == by_memory.records
    assert by_log.hz == by_memory.hz and by_log.lost == by_memory.lost and set(by_log.lost) == {0, 1}
    events = timeline(log)
    assert events == timeline(memory)
    return events


def check_life(events, crashing):
    """A domain that is kept, is ended, and starts and crashes once more, with nothing else it asked for."""
    life = [e["name"] for e in events if e["pid"] == crashing and e["tid"] == 0 and e["ph"] == "i"]
    assert [n for n in life if n.split(":")[0] in decoder.STATES] == ["dead: crash", "running", "dying: crash"]
    assert "p2m map" in life
    assert {e["name"] for e in events if e["ph"] == "X" and e["pid"] == crashing} == {"sched_op", "data abort"}


def check_beats(events, beats):
    """A vCPU that sleeps until its timer's interrupt, then makes a hypercall, again and again."""
    ran = named(events, f"d{beats - 1} vcpu0", 0)
    since = ran[0]["ts"]  # where it was before is not known
    own = [e for e in events if e["pid"] == beats and e["ph"] in "Xi" and e["ts"] >= since]
    asked = sorted((e for e in own if e["ph"] == "X"), key=lambda e: e["ts"])
    sleeps, calls = named(asked, "WFI", beats), named(asked, "xen_version", beats)
    ticks, wakes = named(own, "interrupt 27", beats), named(own, "wake", beats)
    assert {e["name"] for e in asked} == {"WFI", "xen_version", "data abort"}
    assert sleeps and wakes and len(calls) >= 50  # a round was waited for
    # It does one thing at a time.
    assert all(end(a) <= b["ts"] + 0.001 for a, b in zip(asked, asked[1:]))
    # A call comes after a sleep, which an interrupt ended or prevented.
    assert all(any(a["ts"] < t["ts"] < b["ts"] for t in ticks) for a, b in zip(calls, calls[1:]))
    # A sleep ends because somebody woke it, once, unless there was no need to begin; nothing else waits.
    inside = [[w for w in wakes if holds(s, w["ts"])] for s in sleeps]
    assert all(len(w) <= 1 for w in inside)
    assert sum(map(len, inside)) == sum(sleeps[0]["ts"] <= w["ts"] <= end(sleeps[-1]) for w in wakes)
    # Whoever asks for something has a CPU then, and whoever is woken had none.
    assert all(any(holds(r, at) for r in ran) for e in asked for at in (e["ts"], end(e)))
    assert not any(r["ts"] < w["ts"] < end(r) for r in ran for w in wakes)
    assert all(end(a) <= b["ts"] + 0.001 for a, b in zip(ran, ran[1:]))


@pytest.mark.arm32
def test_trace(tmp_path):
    """The timeline has what the guests did, in the order it must have been."""
    memory = tmp_path / "memory"
    options = ["-object", f"memory-backend-file,id=ram,size=1G,mem-path={memory},share=on"]
    domains = [bare("beat", "beat.bin"), bare("crash", "crash.bin", properties={"on-crash": '"preserve"'})]
    with Machine(
        "trace", domains, smp=2, memory="1G", machine="iommu=smmuv3,memory-backend=ram", options=options
    ) as machine:
        machine.expect_all(["beats: missed", r"d2: crash: ended, and is kept"])
        machine.send(":trace dump\r")
        machine.expect(r"trace: end")  # nothing was traced before
        assert not re.search(r"trace: CPU", machine.log())
        # The one that goes on for ever would fill the rings while the test types.
        machine.send("pause beat\r")
        machine.expect("beat: paused")
        machine.send("trace on\r")
        machine.expect("trace: on")
        machine.send("restart crash\r")
        machine.expect(r"d2: crash: ended, and is kept")
        check_life(dumped(machine, tmp_path / "life", memory), 3)  # pid: the domain's number plus 1
        machine.send("trace on\r")
        machine.expect("trace: on")
        machine.send("unpause beat\r")
        machine.expect("beat: goes on")
        for _ in range(2):
            machine.expect("beats: missed")
        check_beats(dumped(machine, tmp_path / "beats", memory), 2)


def test_what_is_no_trace(tmp_path):
    file = tmp_path / "nothing"
    for content in (b"(HF) trace: end\n", b"\0" * 9000, b"HFTRACE1" + b"\0" * 9000):
        file.write_bytes(content)
        done = subprocess.run([ROOT / "scripts/trace.py", file], capture_output=True, check=False)
        assert done.returncode == 1 and b"there is no trace in it" in done.stderr
