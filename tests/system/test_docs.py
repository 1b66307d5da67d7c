"""The examples of the documentation do what the text says."""
import re

from machine import INITRD, LINUX, ROOT, Machine


def example(document, first_line):
    """The indented block of a document that starts with that line, without its indentation."""
    text = (ROOT / document).read_text(encoding="utf-8")
    block = re.search(rf"^    {re.escape(first_line)}\n(?:    .*\n|\n(?=    ))*", text, re.M)
    assert block, f"{document} has no example starting with {first_line!r}"
    return re.sub(r"^    ", "", block.group(0), flags=re.M)


def test_the_guest_of_the_readme():
    inside = re.search(r"\{\n(.*)\};", example("README.md", "/chosen {"), re.S).group(1)
    machine = Machine("docs-readme", [], chosen=inside)
    for file, at in ((LINUX, "0x50000000"), (INITRD, "0x58000000")):
        machine.command += ["-device", f"loader,file={file},addr={at},force-raw=on"]
    with machine:
        machine.expect(r"\(HF\) d1: domU1: started, 2 vCPUs, 512 MiB")
        machine.expect(r"\(d1\) guest [^\n]*: userspace up", timeout=120)


def test_the_error_of_the_device_tree_reference():
    """The message quoted in docs/device-tree.md, for the mistake it names."""
    quoted = example("docs/device-tree.md", "(HF) error: /chosen/domU2: memory: expected 2 cells (KiB), got 12 bytes; domain not started")
    node = 'domU2 {\ncompatible = "xen,domain";\ncpus = <1>;\nmemory = <0 1 2>;\n};\n'
    with Machine("docs-error", [], chosen=node) as machine:
        machine.expect(re.escape(quoted.strip()), timeout=30)
