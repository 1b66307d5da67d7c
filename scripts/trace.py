#!/usr/bin/python3
"""Turns a trace into a timeline for ui.perfetto.dev or chrome://tracing.

    scripts/trace.py FILE >trace.json

FILE is a log of the console with what "trace dump" said (the last one counts), or an image of the
machine's memory. There is a track for each CPU with who ran there, and one for each vCPU with the
hypercalls and traps it made (in their full length, waiting included) and what happened to it. The layout
is that of include/hv/trace.h.
"""
import json
import mmap
import os
import re
import struct
import sys

SWITCH, BLOCK, WAKE, TRAP, HYPERCALL, IRQ, INJECT, P2M, DOMAIN = range(1, 10)
NOBODY = 0xFFFF0000
MAGIC = b"HFTRACE1"
HEADER = struct.Struct("<8sQIIQ32x")
RECORD = struct.Struct("<QIIQQ")
PAGE = 4096

HYPERCALLS = {
    12: "memory_op", 13: "multicall", 17: "xen_version", 18: "console_io", 20: "grant_table_op",
    21: "vm_assist", 24: "vcpu_op", 29: "sched_op", 32: "event_channel_op", 33: "physdev_op", 34: "hvm_op",
}  # fmt: skip
TRAPS = {
    0x01: "WFI", 0x03: "CP15", 0x04: "CP15", 0x05: "CP14", 0x12: "HVC32", 0x13: "SMC32", 0x17: "SMC",
    0x18: "system register", 0x20: "instruction abort", 0x24: "data abort",
}  # fmt: skip
HYPERCALL_TAG = 0xEA1
STATES = ["building", "running", "dying", "dead"]
REASONS = ["poweroff", "reboot", "suspend", "crash", "watchdog", "soft reset"]


class Trace:
    """Records (cpu, time, event, who, a, b) of all CPUs, in the order of time."""

    def __init__(self):
        self.hz, self.records, self.lost = 0, [], {}

    def add_ring(self, cpu, hz, lost):
        self.hz = hz
        self.lost[cpu] = lost

    def done(self):
        """It begins where every CPU's records do: what one did is half the truth without the others."""
        if not self.hz:
            raise ValueError("there is no trace in it")
        records = sorted(self.records, key=lambda r: r[1])
        first = {}
        for record in records:
            first.setdefault(record[0], record[1])
        start = max((first[cpu] for cpu, lost in self.lost.items() if lost), default=0)
        self.records = [r for r in records if r[1] >= start]
        return self


def from_log(text):
    """The last dump in a log of the console."""
    ring = re.compile(r"trace: CPU (\d+), (\d+) Hz, \d+ records after (\d+) lost ones")
    line = re.compile(r"trace: (\d+) ([0-9a-f]+) (\d+) (?:-|d(\d+)v(\d+)) ([0-9a-f]+) ([0-9a-f]+)\s*$", re.M)
    dumps = text.split("trace: end")
    text = dumps[-2] if len(dumps) > 1 else text
    trace = Trace()
    for found in ring.findall(text):
        trace.add_ring(*map(int, found))
    for cpu, time, event, d, v, a, b in line.findall(text):
        who = int(d) << 16 | int(v) if d else NOBODY
        trace.records.append((int(cpu), int(time, 16), int(event), who, int(a, 16), int(b, 16)))
    return trace.done()


def pages(file):
    """Offsets of the pages of a file that are not in a hole of it."""
    at, end = 0, os.fstat(file.fileno()).st_size
    while at < end:
        try:
            at = os.lseek(file.fileno(), at, os.SEEK_DATA)
        except OSError:
            return
        hole = os.lseek(file.fileno(), at, os.SEEK_HOLE)
        yield from range(at // PAGE * PAGE, hole, PAGE)
        at = hole


def from_memory(file):
    """The rings in an image of the memory: they begin at page boundaries."""
    trace = Trace()
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as memory:
        for page in pages(file):
            if memory[page : page + len(MAGIC)] != MAGIC:
                continue
            _, hz, cpu, size, written = HEADER.unpack_from(memory, page)
            kept = min(size, written)
            if not 0 < hz < 1 << 32 or page + HEADER.size + size * RECORD.size > len(memory):
                continue  # the word itself, in the hypervisor's text
            trace.add_ring(cpu, hz, written - kept)
            for i in range(kept):
                time, who, event, a, b = RECORD.unpack_from(memory, page + HEADER.size + i * RECORD.size)
                trace.records.append((cpu, time, event, who, a, b))
    return trace.done()


def load(path):
    with open(path, "rb") as file:
        start = file.read(1 << 16)
        if b"\0" in start or not start.strip():
            return from_memory(file)
        file.seek(0)
        return from_log(file.read().decode("utf-8", "replace").replace("\r", ""))


def name_of(who):
    return f"d{who >> 16} vcpu{who & 0xffff}"


def list_item(names, i):
    return names[i] if i < len(names) else str(i)


class Timeline:
    """Events of the Trace Event Format; times in microseconds since the first record."""

    def __init__(self, trace):
        self.events, self.hz = [], trace.hz
        self.zero = min((r[1] for r in trace.records), default=0)
        self.running = {}  # CPU: (who, since)
        self.placed = {}  # who: CPU it was put on last
        for record in trace.records:
            self.take(*record)
        last = max((r[1] for r in trace.records), default=0)
        for cpu in list(self.running):
            self.leave(cpu, last)
        self.name_tracks(trace)

    def us(self, ticks):
        return ticks * 1e6 / self.hz

    def event(self, phase, name, pid, tid, time, **more):
        self.events.append(
            {"ph": phase, "name": name, "pid": pid, "tid": tid, "ts": self.us(time - self.zero)} | more
        )

    def leave(self, cpu, time):
        who, since = self.running.pop(cpu, (NOBODY, time))
        if who != NOBODY:
            self.event("X", name_of(who), 0, cpu, since, dur=self.us(time - since))

    def instant(self, name, pid, tid, time, **args):
        self.event("i", name, pid, tid, time, s="t", args=args)

    def take(self, cpu, time, event, who, a, b):
        domain, vcpu = (who >> 16) + 1, who & 0xFFFF
        if event == SWITCH:
            self.leave(cpu, time)
            self.running[cpu] = (who, time)
            self.placed[who] = cpu
        elif event == BLOCK:
            self.leave(cpu, time)
            self.placed[who] = cpu
        elif event == WAKE:
            if self.placed.get(who) == a and a not in self.running:  # it waited where it was
                self.running[a] = (who, time)
            self.instant("wake", domain, vcpu, time, by_cpu=cpu)
        elif event == TRAP and a >> 26 & 63 == 0x12 and a & 0xFFFF == HYPERCALL_TAG:
            pass  # by HVC of a 32-bit guest: the hypercall has a record of its own
        elif event == TRAP:
            name = TRAPS.get(a >> 26 & 63, f"class {a >> 26 & 63:#x}")
            self.event("X", name, domain, vcpu, time - b, dur=self.us(b), args={"esr": f"{a:#x}"})
        elif event == HYPERCALL:
            nr, op = a & 0xFFFFFFFF, a >> 32
            name = HYPERCALLS.get(nr, f"hypercall {nr}")
            self.event("X", name, domain, vcpu, time - b, dur=self.us(b), args={"first argument": op})
        elif event == IRQ:
            self.instant(f"irq {a}", 0, cpu, time)
        elif event == INJECT:
            self.instant(f"interrupt {a}", domain, vcpu, time)
        elif event == P2M:
            name = "p2m map" if b & 255 else "p2m unmap"
            self.instant(name, domain, 0, time, gfn=f"{a:#x}", frames=b >> 8, type=b & 255)
        elif event == DOMAIN:
            reason = f": {list_item(REASONS, b)}" if a > 1 else ""
            self.instant(list_item(STATES, a) + reason, domain, 0, time)

    def name_tracks(self, trace):
        def name(kind, pid, tid, text):
            self.events.append({"ph": "M", "name": kind, "pid": pid, "tid": tid, "args": {"name": text}})

        name("process_name", 0, 0, "CPUs")
        for cpu in sorted({r[0] for r in trace.records}):
            name("thread_name", 0, cpu, f"CPU {cpu}")
        for who in sorted({r[3] for r in trace.records} - {NOBODY}):
            name("process_name", (who >> 16) + 1, 0, f"d{who >> 16}")
            name("thread_name", (who >> 16) + 1, who & 0xFFFF, name_of(who))


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__.strip())
    try:
        trace = load(sys.argv[1])
    except (OSError, ValueError) as problem:
        sys.exit(f"{sys.argv[1]}: {problem}")
    json.dump({"traceEvents": Timeline(trace).events, "displayTimeUnit": "ns"}, sys.stdout)
    print(f"{len(trace.records)} records, {sum(trace.lost.values())} lost ones before them", file=sys.stderr)


if __name__ == "__main__":
    main()
