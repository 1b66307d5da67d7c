"""The report of Holdfast's own trouble, provoked with QEMU's gdb stub at a certain place."""

import re
import socket
import struct
import subprocess

import pytest

from machine import CPU, ELF, GUESTS, MODULES_AT, PATIENCE, VARIANT, WORD, Domain, Machine

# gdb's numbers of registers: the stack's, the program's, of one that a call keeps, with its name; asm/layout.h.
SP, PC, KEPT, KEPT_NAME = 0x1F, 0x20, 19, "x19"
DIRECT_MAP = 0x800000000000
FAULT = r"esr 86[^\n]*instruction abort, fault: translation[^\n]*elr 0+5000\b"
if "arm32" in VARIANT:
    SP, PC, KEPT, KEPT_NAME = 13, 15, 5, "r5 "
    DIRECT_MAP = 0x40000000  # of the GiB from there on
    FAULT = r"hsr 84000005[^\n]*elr 00005000\b"


class Stub:
    """A gdb stub: the remote serial protocol, as much as a register or two need."""

    def __init__(self, path):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(PATIENCE)
        self._socket.connect(str(path))

    def _send(self, packet):
        self._socket.sendall(f"${packet}#{sum(packet.encode()) & 255:02x}".encode())

    def _receive(self):
        data = b""
        while b"#" not in data or len(data.split(b"#")[1]) < 2:
            data += self._socket.recv(4096)
        self._socket.sendall(b"+")
        return data.split(b"$", 1)[1].split(b"#")[0].decode()

    def ask(self, packet):
        self._send(packet)
        return self._receive()

    def read(self, register):
        return int.from_bytes(bytes.fromhex(self.ask(f"p{register:x}")), "little")

    def write(self, register, value):
        assert self.ask(f"P{register:x}={value.to_bytes(WORD, 'little').hex()}") == "OK"

    def memory(self, address, size):
        return bytes.fromhex(self.ask(f"m{address:x},{size:x}"))

    def write_memory(self, address, data):
        assert self.ask(f"M{address:x},{len(data):x}:{data.hex()}") == "OK"

    def go_on(self):
        self._send("c")

    def run_to(self, address):
        """Until any CPU is there, which is the chosen one then."""
        assert self.ask(f"Z0,{address:x},4") == "OK"
        self._send("c")
        thread = re.search(r"thread:p?(?:\d+\.)?([0-9a-f]+)", self._receive())[1]
        assert self.ask(f"z0,{address:x},4") == "OK"
        assert self.ask(f"Hg{thread}") == "OK"
        return int(thread, 16) - 1


def symbol(name, elf=ELF):
    listing = subprocess.run(["nm", elf], check=True, capture_output=True, text=True).stdout
    return next(int(line.split()[0], 16) for line in listing.splitlines() if line.endswith(f" {name}"))


def halted(request, tmp_path, domains, hv_bootargs="", cpu=CPU):
    path = tmp_path / "gdb"
    options = ["-gdb", f"unix:{path},server=on,wait=off"]
    name = f"panic-{request.node.originalname}"
    with Machine(name, domains, options=options, hv_bootargs=hv_bootargs, cpu=cpu) as machine:
        machine.expect(rf"\(HF\) {len(domains)} of {len(domains)} domains started")
        stub = Stub(path)  # the machine is halted
        machine.send("h")
        stub.run_to(symbol("irq_dispatch"))
        yield machine, stub


@pytest.fixture(name="idle")
def idle_machine(request, tmp_path):
    yield from halted(request, tmp_path, [])


@pytest.fixture(name="checking")
def machine_whose_cpu_checks(request, tmp_path):
    yield from halted(request, tmp_path, [], cpu="max")


@pytest.fixture(name="watched")
def machine_with_watchdog(request, tmp_path):
    domains = [Domain("beat", memory_mib=16, kernel=GUESTS / "beat.bin", ramdisk=None)]
    yield from halted(request, tmp_path, domains, "watchdog=1")


@pytest.fixture(name="with_module")
def machine_with_module(request, tmp_path):
    kernel = GUESTS / "idle.bin"
    yield from halted(request, tmp_path, [Domain("idle", memory_mib=16, kernel=kernel, ramdisk=None)])


@pytest.mark.arm32
def test_a_fault_is_reported(idle):
    machine, stub = idle
    kept = 0x1234567890ABCDEF & (1 << 8 * WORD) - 1
    stub.write(KEPT, kept)
    stub.write(PC, 0x5000)
    stub.go_on()
    machine.expect(r"\(HF\) panic on CPU \d: (?:synchronous exception|instruction abort) in the hypervisor")
    machine.expect(FAULT)
    machine.expect(f"{KEPT_NAME} {kept:x}")
    machine.expect(r"spsr [0-9a-f]{8}[^\n]*\n")
    machine.expect(r"call trace:[^\n]*\n[^\n]*0x5000[^\n]*\n[^\n]*  \w[\w.]*\+0x")
    machine.expect(r"machine stopped")


def test_a_stack_that_overflows_is_reported(idle):
    machine, stub = idle
    stub.write(SP, (stub.read(SP) & ~0x1FFF) + 0x10)
    stub.write(PC, 0x5000)
    stub.go_on()
    machine.expect(r"\(HF\) panic on CPU \d: stack overflow in the hypervisor")
    machine.expect(r"call trace:")
    machine.expect(r"machine stopped")


def test_modules_are_read_only(with_module):
    """What a domain starts from is written by nobody, Holdfast's own memset() among them."""
    machine, stub = with_module
    for register, value in enumerate((DIRECT_MAP + MODULES_AT, 0, 64)):
        stub.write(register, value)
    stub.write(PC, symbol("memset"))
    stub.go_on()
    machine.expect(rf"(?:fault: permission, write; far|hsr 940+4f; hdfar) {DIRECT_MAP + MODULES_AT:0{2 * WORD}x}")
    machine.expect(r"call trace:\r*\n[^\n]*  memset")
    machine.expect(r"machine stopped")


@pytest.mark.arm32
def test_a_stuck_cpu_is_reported(watched):
    """One in an endless loop inside a hypercall: the other one says so, once, and what led there."""
    machine, stub = watched
    loop = symbol("thread_first_return") + 16  # it ends with "b ."
    stuck = stub.run_to(symbol("do_xen_version"))
    stub.write(PC, loop)
    stub.go_on()
    machine.expect(rf"\(HF\) watchdog: CPU {stuck} did not come by for 1 s")
    machine.expect(rf"\(HF\) CPU {stuck}: d1 vcpu0, frame")
    machine.expect(r"call trace[^\n]*\n(?:[^\n]*\+0x[^\n]*\n)*[^\n]*  (?:guest_sync_64|trap_hvc\w*)\+0x")
    assert machine.log().count("did not come by") == 1


def code_of(stub, name, size):
    """[(address, instruction)] from a symbol on."""
    start = symbol(name)
    words = struct.unpack(f"<{size // 4}I", stub.memory(start, size))
    return [(start + 4 * i, word) for i, word in enumerate(words)]


@pytest.mark.not_on(arm32="the processor has no landing pads")
def test_a_call_past_a_landing_pad_is_reported(checking):
    machine, stub = checking
    assert "landing pads, signed returns" in machine.log()
    call = next(at for at, word in code_of(stub, "thread_first_return", 32) if word == 0xD63F0260)  # blr x19
    stub.write(19, symbol("symbol_lookup") + 4)
    stub.write(PC, call)
    stub.go_on()
    machine.expect(r"\(HF\) panic on CPU \d: synchronous exception in the hypervisor")
    machine.expect(rf"esr 36[^\n]*branch target[^\n]*elr {symbol('symbol_lookup') + 4:016x}")
    machine.expect(r"machine stopped")


@pytest.mark.not_on(arm32="the processor has no signed returns")
def test_a_return_that_is_not_signed_is_reported(checking):
    machine, stub = checking
    check = next(at for at, word in code_of(stub, "switch_stack", 128) if word == 0xD50323BF)  # autiasp
    stub.write(30, symbol("symbol_lookup"))
    stub.write(PC, check)
    stub.go_on()
    machine.expect(r"\(HF\) panic on CPU \d: synchronous exception in the hypervisor")
    machine.expect(r"esr 72[^\n]*pointer authentication")
    machine.expect(r"machine stopped")


PACIASP = 0xD503233F


def stores_return_address(word):
    """STP and STR of x30 relative to SP."""
    first, base, second = word & 31, word >> 5 & 31, word >> 10 & 31
    if base != 31:
        return False
    if word >> 25 & 0x1F == 0x14 and word >> 30 == 2 and not word >> 22 & 1:
        return 30 in (first, second)
    return first == 30 and word >> 22 in (0x3E0, 0x3E4)


@pytest.mark.not_on(arm32="the processor has no signed returns")
def test_every_return_address_on_a_stack_is_signed():
    """In what the compiler made; vectors.S stores the guest's x30, and its own in switch_stack."""
    image = ELF.with_suffix(".bin").read_bytes()
    listing = subprocess.run(["readelf", "-sW", ELF], check=True, capture_output=True, text=True).stdout
    found = re.findall(r"([0-9a-f]{16}) +(\d+) FUNC .* (\S+)$", listing, re.M)
    base, signed, bare = symbol("_start"), 0, []
    for address, size, name in found:
        at = int(address, 16) - base
        words = struct.unpack(f"<{int(size) // 4}I", image[at : at + int(size) // 4 * 4])
        stores = [i for i, word in enumerate(words) if stores_return_address(word)]
        if stores and PACIASP in words[: stores[0]]:
            signed += 1
        elif stores:
            bare.append(name)
    assert not bare
    assert signed > 500


def test_a_stack_that_is_overwritten_is_reported(idle):
    """As if the word below the return address had changed: what it is compared with does."""
    machine, stub = idle
    stub.run_to(symbol("vprintk"))  # in printk(), which keeps its arguments on the stack
    stub.write_memory(symbol("__stack_chk_guard"), bytes(range(WORD)))
    stub.go_on()
    machine.expect(r"\(HF\) panic on CPU \d: a function found its stack overwritten")
    machine.expect(r"call trace:[^\n]*\n(?:[^\n]*\n)*?[^\n]*  printk\+0x")
    machine.expect(r"machine stopped")
