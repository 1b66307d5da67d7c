"""The bare-metal test guests on Debian's Xen: fails where Xen and Holdfast differ and
differences.txt does not say so, or says so and they do not.

Run it as `make test-guests-on-xen`. Tests that are not listed run in one guest, which is started again
without those that ended it or never returned; the listed ones and those that did not pass run in a
guest of their own, and that counts. All verdicts are in build/tests/on-xen.txt, the logs are
build/tests/on-xen-*.log. Then the two domains of tests/guests/pair, for one life, since nobody starts a domain
again there, and without the policy of who may share with whom.
"""
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "system"))

from machine import BUILD, ConsoleError, Domain, Machine  # noqa: E402
from test_pair import TESTS as PAIR_TESTS, pair  # noqa: E402

XEN = BUILD / "fetched/xen/xen"
SELFTEST = BUILD / "guests/selftest"
DIFFERENCES = HERE / "differences.txt"
BASE = 0x40000000  # where the guest is linked
CPUS_OFFSET = 16  # of struct test: how many CPUs the test needs
ALL_CPUS = 255  # more than there are: such a test is skipped
SILENCE = 30  # seconds
BOOTARGS = "console=dtuart dtuart=/pl011@9000000"
SAYS = (
    r"DOM1: \r*(?:(?P<verdict>PASS|SKIP) (?P<name>\w+)|(?P<failed>FAIL) (?P<failure>\w+): line"
    r"|(?P<done>DONE passed)|(?P<died>FAIL unexpected exception|FAIL exception by vector))"
    r"|(?P<xen>Panic on CPU|Domain 1 crashed|domain_crash called)"
)


def tests_of_guest():
    """The image, and [(name, file offset of the test's descriptor)] in the order they run."""
    image = SELFTEST.with_suffix(".bin").read_bytes()
    symbols = subprocess.run(
        [os.environ.get("NM", "nm"), "-n", SELFTEST.with_suffix(".elf")],
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
            sys.exit(f"{SELFTEST}.bin and .elf are not of the same build")
    return image, tests


def image_without(names, original, tests, path):
    """The guest in which the named tests are skipped."""
    image = bytearray(original)
    for name, offset in tests:
        if name in names:
            image[offset + CPUS_OFFSET : offset + CPUS_OFFSET + 4] = ALL_CPUS.to_bytes(4, "little")
    path.write_bytes(image)
    return path


def details(log):
    """{test: what its FAIL line says}. Xen cuts long lines in pieces."""
    lines = []
    for piece in re.findall(r"^\(XEN\) DOM1: (.*)$", log, re.M):
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


def run_guest(number, original, tests, ended):
    """One start of the guest without the tests that have ended already: {test: (verdict, why)}."""
    image = image_without(ended, original, tests, BUILD / f"tests/on-xen-{number}.bin")
    domain = Domain(
        "domU1", cpus=2, memory_mib=64, kernel=image, ramdisk=None, properties={"nr_spis": "<64>"}
    )
    left = [name for name, _ in tests if name not in ended]
    verdicts, how = {}, None
    with Machine(
        f"on-xen-{number}", [domain], smp=2, machine="", holdfast=XEN, hv_bootargs=BOOTARGS
    ) as machine:
        machine.expect(r"DOM1: selftest: 2 CPUs", timeout=60)
        while not how:
            try:
                said = machine.expect(SAYS, timeout=SILENCE).groupdict()
            except ConsoleError:
                how = f"said nothing for {SILENCE} s"
                break
            name = said["name"] or said["failure"]
            if name in left:
                verdicts[name] = (said["verdict"] or said["failed"], "")
                left.remove(name)
            elif not name:
                how = said["done"] or said["died"] or said["xen"]
    found = details(machine.log())
    for name, why in found.items():
        if name in verdicts:
            verdicts[name] = ("FAIL", why)
    if how != "DONE passed" and left:
        verdicts[left[0]] = ("ENDS", found.get(None, how))
    return verdicts


def run_all(original, tests, known):
    """{test: (verdict, why)}, over as many starts of the guest as it takes."""
    verdicts, names = {}, [name for name, _ in tests]
    unlisted = [name for name in names if name not in known]
    for number in range(1, len(unlisted) + 1):
        new = run_guest(number, original, tests, set(verdicts) | set(known))
        verdicts |= new
        if not new or len(verdicts) == len(unlisted):
            break
    # What fails may spoil what others find: each of these counts as it is alone.
    alone = [name for name in names if verdicts.get(name, ("NONE",))[0] not in ("PASS", "SKIP")]

    def again(name):
        return run_guest(name, original, tests, set(names) - {name})

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
    arguments = {"smp": 2, "machine": "", "holdfast": XEN, "hv_bootargs": f"{BOOTARGS} xsm=dummy"}
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


def main():
    original, tests = tests_of_guest()
    known = known_differences()
    verdicts = run_all(original, tests, known)
    problems = []
    with open(BUILD / "tests/on-xen.txt", "w", encoding="utf-8") as report:
        for name, _ in tests:
            verdict, why = verdicts.get(name, ("NONE", "it did not run"))
            report.write(f"{verdict} {name}{': ' + why if why else ''}\n")
            if verdict not in ("PASS", "SKIP") and name not in known:
                problems.append(f"{name}: differs on Xen and is not listed: {verdict} {why}")
            elif verdict in ("PASS", "SKIP") and name in known:
                problems.append(f"{name}: {verdict} on Xen, but listed as different: {known[name]}")
    names = {name for name, _ in tests} | PAIR_TESTS
    problems += [f"{name}: listed, but there is no such test" for name in known if name not in names]
    problems += run_pair(known)
    for problem in problems:
        print(problem)
    said = [verdict for verdict, _ in verdicts.values()]
    print(
        f"on Xen: {said.count('PASS')} pass, {said.count('SKIP')} are skipped, "
        f"{len(said) - said.count('PASS') - said.count('SKIP')} differ, {len(known)} are listed"
    )
    return 1 if problems or not tests else 0


if __name__ == "__main__":
    sys.exit(main())
