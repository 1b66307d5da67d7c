"""The bare-metal test guests on Debian's Xen: fails where Xen and Holdfast differ and
differences.txt does not say so, or says so and they do not.

Run it as `make test-guests-on-xen`. Tests that are not listed run in one guest, which is started again
without those that ended it or never returned; the listed ones and those that did not pass run in a
guest of their own, and that counts. That is done with the self-test, and with the client of tests/guests/grants
beside its server and a stranger, without the policy of who may share with whom. All verdicts are in
build/tests/on-xen.txt, the logs are build/tests/on-xen-*.log. Then the two domains of tests/guests/pair, for one
life, since nobody starts a domain again there, and without that policy.
"""
import concurrent.futures
import dataclasses
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "system"))

from machine import BUILD, ConsoleError, Domain, Machine  # noqa: E402
from test_grants import CLIENT_TESTS, domain as grants_domain  # noqa: E402
from test_pair import TESTS as PAIR_TESTS, pair  # noqa: E402

XEN = BUILD / "fetched/xen/xen"
DIFFERENCES = HERE / "differences.txt"
BASE = 0x40000000  # where the guest is linked
CPUS_OFFSET = 16  # of struct test: how many CPUs the test needs
ALL_CPUS = 255  # more than there are: such a test is skipped
SILENCE = 30  # seconds
BOOTARGS = "console=dtuart dtuart=/pl011@9000000"
NO_POLICY = f"{BOOTARGS} xsm=dummy"


@dataclasses.dataclass
class Guest:
    """Which domain of a machine is the one that tests."""

    name: str  # of the image, too
    number: int
    domains: object  # of an image, all of the machine
    bootargs: str
    names: object = None  # of its tests; None: all of the image

    def says(self):
        return (
            rf"DOM{self.number}: \r*(?:(?P<verdict>PASS|SKIP) (?P<name>\w+)[:\r\n]|(?P<failed>FAIL) (?P<failure>\w+): line"
            r"|(?P<done>DONE passed)|(?P<died>FAIL unexpected exception|FAIL exception by vector))"
            rf"|(?P<xen>Panic on CPU|Domain {self.number} crashed|domain_crash called)"
        )


def one_domain(image):
    return [
        Domain(
            "domU1", cpus=2, memory_mib=64, kernel=image, ramdisk=None, properties={"nr_spis": "<64>"}
        )
    ]


def three_domains(image):
    domains = [grants_domain(name, 1) for name in ("server", "client", "stranger")]
    for domain in domains:
        domain.kernel = image
    return domains


GUESTS = [
    Guest("selftest", 1, one_domain, BOOTARGS),
    Guest("grants", 2, three_domains, NO_POLICY, CLIENT_TESTS),
]


def tests_of_guest(guest):
    """The image, and [(name, file offset of the test's descriptor)] in the order they run."""
    path = BUILD / f"guests/{guest.name}"
    image = path.with_suffix(".bin").read_bytes()
    symbols = subprocess.run(
        [os.environ.get("NM", "nm"), "-n", path.with_suffix(".elf")],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\n")
    addresses = {
        symbol: int(address, 16)
        for address, _, symbol in (line.split() for line in symbols if line.count(" ") == 2)
    }
    tests = [
        (symbol.removesuffix("_test"), address - BASE)
        for symbol, address in addresses.items()
        if symbol.endswith("_test") and addresses["tests_start"] <= address < addresses["tests_end"]
    ]
    for name, offset in tests:
        at = int.from_bytes(image[offset : offset + 8], "little") - BASE
        if image[at : at + len(name) + 1] != name.encode() + b"\0":
            sys.exit(f"{path}.bin and .elf are not of the same build")
    return image, [test for test in tests if not guest.names or test[0] in guest.names]


def image_without(names, original, tests, path):
    """The guest in which the named tests are skipped."""
    image = bytearray(original)
    for name, offset in tests:
        if name in names:
            image[offset + CPUS_OFFSET : offset + CPUS_OFFSET + 4] = ALL_CPUS.to_bytes(4, "little")
    path.write_bytes(image)
    return path


def details(guest, log):
    """{test: what its FAIL line says}. Xen cuts long lines in pieces."""
    lines = []
    for piece in re.findall(rf"^\(XEN\) DOM{guest.number}: (.*)$", log, re.M):
        if lines and not re.match(r"PASS |FAIL |SKIP |DONE |selftest: ", piece):
            lines[-1] += piece
        else:
            lines.append(piece)
    matches = (re.match(r"FAIL (\w+): (line .*)", line) for line in lines)
    found = {match.group(1): match.group(2) for match in matches if match}
    for line in lines:
        if re.match(r"FAIL (?:unexpected exception|exception by vector)", line):
            found[None] = line.removeprefix("FAIL ")
    return found


def run_guest(guest, number, original, tests, ended):
    """One start of the guest without the tests that have ended already: {test: (verdict, why)}."""
    image = image_without(ended, original, tests, BUILD / f"tests/on-xen-{number}.bin")
    left = [name for name, _ in tests if name not in ended]
    verdicts, how = {}, None
    with Machine(
        f"on-xen-{number}", guest.domains(image), smp=2, machine="", holdfast=XEN, hv_bootargs=guest.bootargs
    ) as machine:
        machine.patience = SILENCE
        machine.expect(rf"DOM{guest.number}: selftest: \d CPUs", timeout=60)
        while not how:
            try:
                said = machine.expect(guest.says()).groupdict()
            except ConsoleError:
                how = f"said nothing for {SILENCE} s"
                break
            name = said["name"] or said["failure"]
            if name in left:
                verdicts[name] = (said["verdict"] or said["failed"], "")
                left.remove(name)
            elif not name:
                how = said["done"] or said["died"] or said["xen"]
    found = details(guest, machine.log())
    for name, why in found.items():
        if name in verdicts:
            verdicts[name] = ("FAIL", why)
    if how != "DONE passed" and left:
        verdicts[left[0]] = ("ENDS", found.get(None, how))
    return verdicts


def run_all(guest, original, tests, known):
    """{test: (verdict, why)}, over as many starts of the guest as it takes."""
    verdicts, names = {}, [name for name, _ in tests]
    unlisted = [name for name in names if name not in known]
    for number in range(1, len(unlisted) + 1):
        new = run_guest(guest, f"{guest.name}-{number}", original, tests, set(verdicts) | set(known))
        verdicts |= new
        if not new or len(verdicts) == len(unlisted):
            break
    # What fails may spoil what others find: each of these counts as it is alone.
    alone = [name for name in names if verdicts.get(name, ("NONE",))[0] not in ("PASS", "SKIP")]

    def again(name):
        return run_guest(guest, name, original, tests, set(names) - {name})

    with concurrent.futures.ThreadPoolExecutor(int(os.environ.get("TEST_JOBS", "2"))) as pool:
        for new in pool.map(again, alone):
            verdicts |= new
    return verdicts


def known_differences():
    """{test: reason}."""
    known = {}
    for line in DIFFERENCES.read_text(encoding="ascii").split("\n"):
        if line and not line.startswith("#"):
            name, colon, reason = line.partition(": ")
            if not colon or not reason.strip() or name in known:
                sys.exit(f"{DIFFERENCES}: not `test: reason`, or said twice: {line}")
            known[name] = reason
    return known


def run_pair(known):
    """What went wrong with the pair guest."""
    arguments = {"smp": 2, "machine": "", "holdfast": XEN, "hv_bootargs": NO_POLICY}
    with Machine("on-xen-pair", pair(1), **arguments) as machine:
        try:
            machine.expect(r"DOM1: DONE|Panic on CPU", timeout=60)
            machine.expect(r"DOM2: DONE|Panic on CPU", timeout=10)
        except ConsoleError as problem:
            return [f"pair: {problem}"]
    log = machine.log()
    passed = [set(re.findall(rf"DOM{number}: PASS (\w+)", log)) for number in (1, 2)]
    everywhere, listed = passed[0] & passed[1], PAIR_TESTS & set(known)
    problems = [f"{name}: passes, but listed as different" for name in sorted(listed & everywhere)]
    for name in sorted(PAIR_TESTS - listed - everywhere):
        why = re.findall(rf"DOM\d: FAIL {name}: .*", log) or ["it did not run"]
        problems.append(f"{name}: differs on Xen and is not listed: {why}")
    return problems


def judge(tests, verdicts, known, report):
    """What of it is not as differences.txt says."""
    for name, _ in tests:
        verdict, why = verdicts.get(name, ("NONE", "it did not run"))
        report.write(f"{verdict} {name}{': ' + why if why else ''}\n")
        if verdict not in ("PASS", "SKIP") and name not in known:
            yield f"{name}: differs on Xen and is not listed: {verdict} {why}"
        elif verdict in ("PASS", "SKIP") and name in known:
            yield f"{name}: {verdict} on Xen, but listed as different: {known[name]}"


def main():
    known = known_differences()
    verdicts, problems, names = {}, [], set(PAIR_TESTS)
    with open(BUILD / "tests/on-xen.txt", "w", encoding="utf-8") as report:
        for guest in GUESTS:
            original, tests = tests_of_guest(guest)
            found = run_all(guest, original, tests, known)
            problems += judge(tests, found, known, report)
            verdicts |= found
            names |= {name for name, _ in tests}
    problems += [f"{name}: listed, but there is no such test" for name in known if name not in names]
    problems += run_pair(known)
    for problem in problems:
        print(problem)
    said = [verdict for verdict, _ in verdicts.values()]
    print(
        f"on Xen: {said.count('PASS')} pass, {said.count('SKIP')} are skipped, "
        f"{len(said) - said.count('PASS') - said.count('SKIP')} differ, {len(known)} are listed"
    )
    return 1 if problems or not verdicts else 0


if __name__ == "__main__":
    sys.exit(main())
