"""The device tree schema: it is valid, complete, takes the examples and refuses what is wrong."""
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCHEMA = ROOT / "dts/schema"
sys.path.insert(0, str(ROOT / "scripts"))

from holdfast import schema, tree  # noqa: E402

GOOD = """
    xen,xen-bootargs = "audit";
    holdfast,allow-pairs = "a", "b";
    pool: pool { compatible = "xen,cpupool"; cpupool-cpus = <1 2>; cpupool-sched = "null"; };
    a {
        compatible = "xen,domain";
        #address-cells = <2>; #size-cells = <2>;
        cpus = <2>;
        memory = <0 0x10000>;
        xen,enhanced;
        vpl011;
        on-crash = "restart";
        domain-cpupool = <&pool>;
        holdfast,budget-us = <500>; holdfast,period-us = <1000>;
        xen,static-mem = <0x50000000 0x4000000>;
        direct-map;
        holdfast,pci-functions = "0000:00:02.0";
        module@60000000 { compatible = "multiboot,kernel", "multiboot,module"; reg = <0 0x60000000 0 0x1000>; bootargs = "x"; };
        port: evtchn { compatible = "xen,evtchn-v1"; xen,evtchn = <1 &port>; };
        shm { compatible = "xen,domain-shared-memory-v1"; xen,shm-id = "x"; role = "owner"; xen,shared-mem = <0 1 0 1 0 1>; };
        vcpu { compatible = "xen,vcpu"; id = <1>; hard-affinity = "0-1,3"; };
    };
"""


def findings(tmp_path, chosen):
    file = tmp_path / "tree.dtb"
    file.write_bytes(tree.compile_source(f"/dts-v1/; / {{ chosen {{ {chosen} }}; }};", "the test's"))
    return schema.findings([file])[file]


def test_the_schema_is_one():
    done = subprocess.run(
        ["sh", "-c", 'for file in *; do dt-doc-validate -u . "$file"; done'], cwd=SCHEMA, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_good(tmp_path):
    assert findings(tmp_path, GOOD) == []


@pytest.mark.parametrize(
    "old, new, said",
    [
        ("cpus = <2>", "cpus = <0>", "a: cpus:.* less than the minimum"),
        ("cpus = <2>;", "", "a: 'cpus' is a required property"),
        ("memory = <0 0x10000>", "memory = <0 0 0>", "a: memory:.* too long"),
        ("vpl011", "vpl012", "a: vpl012:"),
        ('on-crash = "restart"', 'on-crash = "retry"', "a: on-crash:.*'retry' is not one of"),
        ("holdfast,period-us = <1000>;", "", "a: 'holdfast,period-us' is a dependency"),
        ("xen,static-mem = <0x50000000 0x4000000>;", "", "a: 'xen,static-mem' is a dependency"),
        ("0000:00:02.0", "00:02.0", "a: holdfast,pci-functions:.*does not match"),
        ("reg = <0 0x60000000 0 0x1000>;", "", "module@60000000: 'reg' is a required property"),
        ("<1 &port>", "<1>", "evtchn: xen,evtchn:.* is too short"),
        ('role = "owner"', 'role = "lender"', "shm: role:.*'lender' is not one of"),
        ('xen,shm-id = "x";', "", "shm: 'xen,shm-id' is a required property"),
        ('"0-1,3"', '"0..3"', "vcpu: hard-affinity:.*does not match"),
        ('cpupool-sched = "null"', 'cpupool-sched = "rtds"', "pool: cpupool-sched:.*'rtds' is not one of"),
    ],
)
def test_bad(tmp_path, old, new, said):
    assert old in GOOD
    found = findings(tmp_path, GOOD.replace(old, new, 1))
    assert any(re.match(said, line) for line in found), found


def test_it_knows_what_the_hypervisor_and_the_reference_know():
    source = (ROOT / "common/boot/guest_config.c").read_text()
    used = re.search(r"report_ignored.*?used\[\] = \{(.*?)\}", source, re.S)[1]
    read = set(re.findall(r'"([^"]+)"', used)) - {"linux,phandle", "name"}
    text = (SCHEMA / "holdfast,domain.yaml").read_text()
    body = text[text.index("\nproperties:") : text.index("\n$defs:")]
    assert set(re.findall(r"^  '?([#\w,-]+)'?:", body, re.M)) == read
    reference = (ROOT / "docs/device-tree.md").read_text()
    rows = re.findall(r"^\| (`[^|]*) \|", reference[reference.index("## A guest") :], re.M)
    told = {name for row in rows for name in re.findall(r"`([#\w,-]+)`", row)}
    cells = {"#xen,static-mem-address-cells", "#xen,static-mem-size-cells"}  # told below the table
    assert read - told - cells == {"compatible", "phandle", "status"}


def test_holdfast_check_asks_for_every_word():
    word = re.compile(r'cmdline_(?:get|bool|size|choice)\("([^"]+)"')
    files = [f for part in ("arch", "common", "drivers") for f in (ROOT / part).rglob("*.c")]
    asked = {w for f in files for w in word.findall(f.read_text())}
    check = (ROOT / "tools/check/words.c").read_text()
    lists = set(re.findall(r'"([^"]+)"', " ".join(re.findall(r"\[\] = \{(.*?)\}", check))))
    assert asked == lists | set(word.findall(check))
