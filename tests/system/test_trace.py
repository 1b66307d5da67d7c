"""A trace: taken, read from the console and from the machine's memory, and decoded."""
import importlib.util
import json
import re
import subprocess

from machine import BUILD, ROOT, Domain, Machine

spec = importlib.util.spec_from_file_location("trace", ROOT / "scripts/trace.py")
decoder = importlib.util.module_from_spec(spec)
spec.loader.exec_module(decoder)


def bare(name, image, **more):
    return Domain(name, memory_mib=16, kernel=BUILD / "guests" / image, ramdisk=None, **more)


def timeline(path):
    """What the script makes of a file, as somebody would call it."""
    script = [ROOT / "scripts/trace.py", path]
    return json.loads(subprocess.run(script, check=True, capture_output=True).stdout)["traceEvents"]


def named(events, name, pid):
    return [e for e in events if e["name"] == name and e["pid"] == pid]


def covers(slices, at):
    return any(s["ts"] <= at <= s["ts"] + s["dur"] for s in slices)


def test_trace(tmp_path):
    """The timeline has what the guests did, in the order and of the length it must have been."""
    memory = tmp_path / "memory"
    options = ["-object", f"memory-backend-file,id=ram,size=1G,mem-path={memory},share=on"]
    domains = [bare("beat", "beat.bin"), bare("crash", "crash.bin", properties={"on-crash": '"preserve"'})]
    with Machine(
        "trace", domains, smp=2, memory="1G", machine="iommu=smmuv3,memory-backend=ram", options=options
    ) as machine:
        machine.expect_all(["beats: missed 0x0+\r*\n", r"d2: crash: ended, and is kept"])
        machine.send(":trace dump\r")
        machine.expect(r"trace: end")  # nothing was traced before
        assert not re.search(r"trace: CPU", machine.log())
        machine.send("trace on\r")
        machine.expect("trace: on")
        machine.send("restart crash\r")
        machine.expect(r"d2: crash: ended, and is kept")
        machine.expect("beats: missed")
        machine.send("trace dump\r")
        machine.expect(r"trace: CPU 0, \d+ Hz")
        machine.expect(r"trace: CPU 1, \d+ Hz")
        machine.expect(r"trace: end", timeout=120)
        log = tmp_path / "console"
        log.write_text(machine.log(), encoding="utf-8")
        by_log, by_memory = decoder.load(log), decoder.load(memory)
    assert by_log.records and by_log.records == by_memory.records
    assert (by_log.hz, by_log.lost) == (by_memory.hz, by_memory.lost)
    events = timeline(log)
    assert events == timeline(memory)

    beats, crashing = 2, 3  # tracks: pid is the domain's number plus 1
    sleeps, calls = named(events, "WFI", beats), named(events, "xen_version", beats)
    ticks = named(events, "interrupt 27", beats)
    assert len(sleeps) >= 20 and len(calls) >= 20 and len(ticks) >= 20
    # It works 2 ms of 10, and longer while the other CPU is busy, too; a version is told in a moment.
    assert all(5000 < s["dur"] < 9500 for s in sleeps[1:-1]) and all(c["dur"] < 20 for c in calls)
    assert len(named(events, "wake", beats)) >= len(sleeps) - 1
    # Whoever makes a hypercall has a CPU at that time, and who sleeps has none.
    ran = named(events, "d1 vcpu0", 0)
    assert all(covers(ran, c["ts"] + c["dur"] / 2) for c in calls[1:-1])
    assert not any(covers(ran, s["ts"] + s["dur"] / 2) for s in sleeps[1:-1])
    # The other domain's life.
    life = [e["name"] for e in events if e["pid"] == crashing and e["tid"] == 0 and e["ph"] == "i"]
    assert [n for n in life if n.split(":")[0] in decoder.STATES] == ["dead: crash", "running", "dying: crash"]
    assert "p2m map" in life
    assert {e["name"] for e in events if e["ph"] == "X" and e["pid"] == crashing} == {"sched_op", "data abort"}


def test_what_is_no_trace(tmp_path):
    file = tmp_path / "nothing"
    for content in (b"(HF) trace: end\n", b"\0" * 9000, b"HFTRACE1" + b"\0" * 9000):
        file.write_bytes(content)
        done = subprocess.run([ROOT / "scripts/trace.py", file], capture_output=True, check=False)
        assert done.returncode == 1 and b"there is no trace in it" in done.stderr
