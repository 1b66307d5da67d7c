"""The bare-metal self-test guest on Debian's Xen: fails where Xen and Holdfast differ and
differences.txt does not say so, or says so and they do not.

Run it as `make test-guests-on-xen`. A test that ends the guest, or never returns, is noted, and the
guest is started again with the tests that are left. The logs are build/tests/on-xen-N.log, all
verdicts build/tests/on-xen.txt.
"""
import os
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "system"))

from machine import BUILD, ConsoleError, Domain, Machine  # noqa: E402

XEN = BUILD / "fetched/xen/xen"
SELFTEST = BUILD / "guests/selftest"
DIFFERENCES = HERE / "differences.txt"
BASE = 0x40000000  # where the guest is linked
CPUS_OFFSET = 16  # of struct test: how many CPUs the test needs
ALL_CPUS = 255  # more than there are: such a test is skipped
SILENCE = 40  # seconds
BOOTARGS = "console=dtuart dtuart=/pl011@9000000 sync_console"
SAYS = (
    r"DOM1: (?:(?P<verdict>PASS|SKIP) (?P<name>\w+)|(?P<failed>FAIL) (?P<failure>\w+): line"
    r"|(?P<done>DONE passed)|(?P<died>FAIL unexpected exception|FAIL exception by vector))"
    r"|(?P<xen>Panic on CPU|Domain 1 crashed|domain_crash called)"
)


def tests_of_guest():
    """[(name, file offset of the test's descriptor)] in the order they run."""
    symbols = subprocess.run(
        [os.environ.get("NM", "nm"), "-n", SELFTEST.with_suffix(".elf")],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\n")
    inside, tests = False, []
    for address, _, symbol in (line.split() for line in symbols if line.count(" ") == 2):
        if symbol == "tests_start":
            inside = True
        elif symbol == "tests_end":
            inside = False
        elif symbol.endswith("_test") and inside:
            tests.append((symbol[: -len("_test")], int(address, 16) - BASE))
    return tests


def image_without(names, tests, path):
    """The guest in which the named tests are skipped."""
    image = bytearray(SELFTEST.with_suffix(".bin").read_bytes())
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


def run_guest(number, tests, ended):
    """One start of the guest without the tests that have ended already: {test: (verdict, why)}."""
    image = image_without(ended, tests, BUILD / "tests/on-xen.bin")
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


def run_all(tests):
    """{test: (verdict, why)}, over as many starts of the guest as it takes."""
    verdicts = {}
    for number in range(1, len(tests) + 1):
        new = run_guest(number, tests, verdicts)
        verdicts |= new
        if not new or len(verdicts) == len(tests):
            break
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


def main():
    tests = tests_of_guest()
    verdicts = run_all(tests)
    known = known_differences()
    problems = []
    with open(BUILD / "tests/on-xen.txt", "w", encoding="utf-8") as report:
        for name, _ in tests:
            verdict, why = verdicts.get(name, ("NONE", "it did not run"))
            report.write(f"{verdict} {name}{': ' + why if why else ''}\n")
            if verdict not in ("PASS", "SKIP") and name not in known:
                problems.append(f"{name}: differs on Xen and is not listed: {verdict} {why}")
            elif verdict in ("PASS", "SKIP") and name in known:
                problems.append(f"{name}: {verdict} on Xen, but listed as different: {known[name]}")
    names = {name for name, _ in tests}
    problems += [f"{name}: listed, but there is no such test" for name in known if name not in names]
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
