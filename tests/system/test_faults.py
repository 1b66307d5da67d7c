"""Allocations that fail, each in turn, by the host console's `fail` (debug builds); guests that end in the
middle of each hypercall, by `die` and otherwise. Either costs no page, and the neighbour nothing."""
import functools
import gzip
import re
import subprocess

import pytest

from machine import ELF, GUESTS, VARIANT, Domain, Machine
from test_monitor import Monitor
from test_smmu import EDU
from test_static_shm import region

PAIR = 'holdfast,allow-pairs = "neighbour", "victim";'
CALLS = GUESTS / "calls.bin"
# A failure or death is known by who called whom down to there.
ORDERED = re.compile(r"\(HF\) (?:fail: no memory|die: the end) here, by order\n\(HF\) call trace:\n((?:\(HF\)   .*\n)+)")


class Two:
    """A neighbour (tests/guests/calls), and a victim that is started again and again from the host console."""

    def __init__(self, machine, greeting):
        self.machine, self.greeting = machine, greeting
        machine.expect_all([r"2 of 2 domains started", r"\(d1\) calls: \d+ operations", r"\(d2\) " + greeting])
        self.sum = self.order(1, "n", r"\(d1\) calls: sum (\w+)\r*\n")
        self.order(1, "g2 ", r"\(d1\) calls: granted")
        machine.focus(0)
        self.monitor = Monitor(machine)
        self.destroy()
        self.free = max(self.count() for _ in range(5))

    def order(self, number, keys, answer):
        """Keys for a console, and what is said until the answer came."""
        self.machine.focus(number)
        self.machine.send(keys)
        match = self.machine.expect(answer)
        return (self.machine._child.before + match.group(0)).replace("\r", "")

    def count(self):
        return int(re.search(r"memory: (\d+) of", self.monitor.ask("memory")).group(1))

    def destroy(self):
        self.order(0, "destroy victim\r", "d2: victim: powered off")

    def start(self):
        return self.order(0, "restart victim\r", r"d2: victim: stays dead\r*\n|\(d2\) " + self.greeting)

    def check(self):
        """Whatever was, all of the victim's pages are back, and the stack of the thread that built it."""
        assert any(self.count() == self.free for _ in range(20))

    def check_neighbour(self):
        assert "clean" in self.monitor.ask("audit neighbour")
        assert self.order(1, "n", r"\(d1\) calls: sum (\w+)\r*\n").split()[-1] == self.sum.split()[-1]


def trace_of(said):
    """Where what was ordered came, if it came."""
    found = ORDERED.findall(said)
    assert len(found) == said.count("by order") <= 1, said
    return found[0] if found else None


def each_in_turn(attempt):
    """attempt(n) lets the n-th allocation fail, or the domain die at the n-th point, and tells where that was; None: there
    are not so many.
    Of a loop that allocates page after page fewer and fewer are tried, and again more at its end.
    Returns the functions on the way."""
    at = functools.lru_cache(None)(attempt)
    places, n, step = set(), 1, 1
    while at(n):
        places.add(at(n))
        if at(n + step) == at(n):
            n, step = n + step, 2 * step
        elif step > 1:
            step //= 2
        else:
            n += 1
    return set(re.findall(r"  (\w+)[\w.]*\+0x", "".join(places)))


# Who asks for memory: while a domain is made, in its hypercalls, and otherwise but once: at boot, for our own tables and
# a stream table of an SMMU when they grow, and for a trace.
AT_CREATION = {
    "abi_create", "abi_pv_console_init", "build", "claim", "domain_create", "domain_give_mmio",
    "events_create", "evtchn_make_static", "grow", "hv_thread_create", "image_probe", "iommu_attach", "iommu_domain_create",
    "iommu_mirror_init", "maptrack_init", "p2m_pool_fill", "p2m_populate_some", "sched_add", "tables_create",
    "vgic_init_domain", "vmap_reserve", "vpci_add", "vpl011_init", "zlib_alloc",
}  # fmt: skip
IN_HYPERCALLS = {"alloc_elsewhere", "evtchn_init_control", "grow", "grow_status", "p2m_populate_some", "take"}
ONCE = {
    "commit", "cpupool_create", "cpus_start", "found", "iommu_init", "monitor_trace", "percpu_alloc", "scan", "smmu_alloc",
    "smmu_strtab_init", "smmu_translate", "static_shm_fill",
}  # fmt: skip


@pytest.mark.not_on(gicv2="it is the same image", arm32="the lists are of the image for arm64")
def test_allocation_sites():
    """The lists above are all there are in the image; the tests below reach those they are to reach."""
    allocators = r"(?:hv_zalloc|hv_strdup|xenheap_alloc|heap_alloc|heap_alloc_direct|stack_alloc)"
    dump = subprocess.run(["aarch64-linux-gnu-objdump", "-d", ELF], check=True, capture_output=True, text=True)
    functions = re.findall(r"^\w+ <(\w+)[\w.]*>:\n((?:.+\n)+)", dump.stdout, re.M)
    sites = {name for name, code in functions if re.search(rf"\tbl?\t\w+ <{allocators}>", code)}
    sites -= {name for name in sites if re.fullmatch(allocators, name)}
    assert sites == AT_CREATION | IN_HYPERCALLS | ONCE


def test_creation_of_a_domain(tmp_path):
    """With all that a domain can have. Each failure costs one line, and this domain."""
    channel = 'e{0}: evtchn@1 {{ compatible = "xen,evtchn-v1"; xen,evtchn = <5 &e{1}>; }};\n'
    shared = (region("heap", role, 0x7000_0000, 0x2000) for role in ("owner", "borrower"))
    nodes = [channel.format(n, 3 - n) + next(shared) for n in (1, 2)]
    packed = tmp_path / "idle.gz"
    packed.write_bytes(gzip.compress((GUESTS / "idle.bin").read_bytes()))
    more = {"holdfast,pv-console": True, "nr_spis": "<64>", "holdfast,pci-functions": '"0000:00:02.0"'}
    domains = [
        Domain("neighbour", memory_mib=16, kernel=CALLS, ramdisk=None, nodes=nodes[0]),
        Domain("victim", cpus=2, memory_mib=4, kernel=packed, ramdisk=None, properties=more, nodes=nodes[1]),
    ]
    with Machine("faults-creation", domains, chosen=PAIR, options=EDU) as machine:
        two = Two(machine, "idle guest waits")

        def attempt(n):
            two.monitor.ask(f"fail {n}")
            said = two.start()
            assert said.count("(HF) error: /chosen/victim") == said.count("stays dead"), said
            two.monitor.ask("fail 0")
            if "stays dead" not in said:
                two.destroy()
            two.check()
            return trace_of(said)

        functions = each_in_turn(attempt)
        two.check_neighbour()
    without_frame = {"zlib_alloc", "build"} if "arm32" in VARIANT else {"zlib_alloc"}
    assert functions >= AT_CREATION - without_frame | {
        "grant_frames_init", "inflateInit2_", "p2m_set_mirror", "passthrough_give_function", "stack_alloc",
        "static_evtchns_make", "static_shm_map",
    }  # fmt: skip


def calls():
    return [
        Domain(name, cpus=2, memory_mib=16, kernel=CALLS, ramdisk=None, properties={"max_grant_version": "<2>"})
        for name in ("neighbour", "victim")
    ]


def make_calls(two, order, end):
    """What is said when the victim makes all its calls, with something of it that shall fail."""
    assert "stays dead" not in two.start()
    two.monitor.ask(order)
    said = two.order(2, "a", end)
    assert "FAIL" not in said
    two.machine.focus(0)
    return said


def test_hypercalls():
    """What is refused for want of memory is granted when it is asked for again."""
    with Machine("faults-hypercalls", calls(), chosen=PAIR) as machine:
        two = Two(machine, r"calls: \d+ operations")

        def attempt(n):
            said = make_calls(two, f"fail {n} victim", r"\(d2\) calls: all made")
            two.monitor.ask("fail 0")
            assert "clean" in two.monitor.ask("audit victim")
            two.destroy()
            two.check()
            return trace_of(said)

        functions = each_in_turn(attempt)
        two.check_neighbour()
    assert functions >= IN_HYPERCALLS | {
        "do_multicall", "evtchn_alloc_unbound", "evtchn_init_control", "grant_frame_get", "grant_map",
        "memory_add_to_physmap_batch", "p2m_map", "p2m_populate_some", "p2m_unmap",
    }  # fmt: skip


def test_deaths_in_hypercalls():
    """At each point in turn where a call lets others run."""
    with Machine("faults-deaths", calls(), chosen=PAIR) as machine:
        two = Two(machine, r"calls: \d+ operations")

        def attempt(n):
            said = make_calls(two, f"die {n} victim", r"\(d2\) calls: all made|d2: victim: powered off\r*\n")
            if "all made" in said:
                two.monitor.ask("die 0")
                two.destroy()
            two.check()
            return trace_of(said)

        functions = each_in_turn(attempt)
        two.check_neighbour()
    assert functions >= {
        "do_multicall", "each_extent", "evtchn_expand_array", "evtchn_switch_all", "grant_copy", "grant_map",
        "memory_add_to_physmap_batch", "reset",
    }  # fmt: skip
    assert "arm32" in VARIANT or "setway_access" in functions


# How it ends, and how that is seen; 9: by somebody else.
WATCHDOG = 4
ENDS = {
    0: "d2: victim: powered off",
    1: r"d2: victim: reboots[\s\S]*\(d2\) calls: \d+ operations",
    3: "d2: victim: stays dead after its crash",
    9: r"\(d2\) calls: goes on",
    WATCHDOG: "d2: victim: stays dead after its watchdog fired",
}


@pytest.mark.gicv2
def test_ends_in_hypercalls():
    """The other vCPU ends the domain while the first is in each of them, at three moments, or it is destroyed."""
    with Machine("faults-ends", calls(), chosen=PAIR) as machine:
        two = Two(machine, r"calls: (\d+) operations")
        count = int(re.findall(r"\(d2\) calls: (\d+) operations", machine.log())[0])

        def end_in(operation, us, reason):
            assert "stays dead" not in two.start()
            two.order(2, f"d{operation} {us} {reason} ", ENDS[reason])
            machine.focus(0)
            if reason in (1, 9):
                two.destroy()
            two.check()

        for operation in range(count):
            for n, us in enumerate((100, 1000 + 37 * operation, 10000 + 1001 * operation)):
                end_in(operation, us, (0, 1, 3, 9)[(operation + n) % 4])
        end_in(0, 0, WATCHDOG)
        two.check_neighbour()


# 32-bit machines know no release addresses.
SILENT = r"CPU_ON failed \(-19\); not started" if "arm32" in VARIANT else "did not come up in 1 s; not used"


def test_cpus_that_are_not_there():
    """One that firmware does not know, and one that never looks at its release address: a line each. (QEMU's own
    loader would put PSCI back into the tree.)"""
    unknown = 'cpus { cpu@77 { device_type = "cpu"; compatible = "arm,cortex-a72"; reg = <0x77>; enable-method = "psci"; }; };\n'
    silent = '/delete-node/ psci;\ncpus { cpu@1 { enable-method = "spin-table"; cpu-release-addr = <0 0x47000000>; }; };\n'
    guest = Domain("domU1", memory_mib=16, kernel=GUESTS / "idle.bin", ramdisk=None)
    for name, boot, root, line, online in (
        ("unknown", "kernel", unknown, r"error: CPU 2 \(MPIDR 0x77\): CPU_ON failed \(-\d+\); not started", "2 of 3"),
        ("silent", "u-boot", silent, rf"error: CPU 1 \(MPIDR 0x1\): {SILENT}", "1 of 2"),
    ):
        with Machine(f"faults-cpu-{name}", [guest], boot=boot, root=root) as machine:
            machine.expect(rf"\(HF\) {line}\r*\n\(HF\) cpus: {online} online")
            machine.expect_all(["1 of 1 domains started", "idle guest waits"])
