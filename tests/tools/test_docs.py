"""The documentation hangs together: every page is in the index, every link leads somewhere."""
import html
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(#[^)\s]+)?\)")


def anchors(page):
    """As forges make them of headings."""
    found = set()
    for title in re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.M):
        found.add("#" + re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-"))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links(page):
    for path, anchor in LINK.findall(page.read_text(encoding="utf-8")):
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name} names {path}"
        assert not anchor or anchor in anchors(target), f"{page.name}: {target.name} has no {anchor}"


def test_every_page_is_in_the_index():
    named = {path for path, _ in LINK.findall((ROOT / "docs/README.md").read_text(encoding="utf-8"))}
    assert {p.name for p in (ROOT / "docs").glob("*.md")} - {"README.md"} <= named


def blocks(page, first):
    """The indented blocks of a page that start with a line."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    found = re.findall(rf"^    {re.escape(first)}\n(?:    .*\n|\n(?=    ))*", text, re.M)
    return [re.sub(r"^    ", "", block, flags=re.M) for block in found]


@pytest.mark.parametrize("block", blocks("device-tree.md", "domU1 {"), ids=["static-memory", "shared-memory"])
def test_nodes_of_the_device_tree_reference(tmp_path, block):
    """The hypervisor's own reading starts them, with what the example leaves out."""
    if "..." in block:
        block = block.replace("...", 'compatible = "xen,domain"; #address-cells = <2>; #size-cells = <2>; cpus = <1>; memory = <0 0x8000>;')
        kernel = "<0 0x50000000 0 0x1000>"
    else:
        kernel = "<0 0x50000000 0x1000>"  # cells as they are by default
    module = f'module {{ compatible = "multiboot,kernel"; reg = {kernel}; }};'
    (tmp_path / "kernel").write_bytes(b"\x1f\x20\x03\xd5" * 1024)  # nop
    (tmp_path / "board.dts").write_text(
        "/dts-v1/; / { #address-cells = <2>; #size-cells = <2>;\n"
        'memory@40000000 { device_type = "memory"; reg = <0 0x40000000 0 0x80000000>; };\n'
        'cpus { #address-cells = <1>; #size-cells = <0>; cpu@0 { device_type = "cpu"; reg = <0>; }; };\n'
        f"chosen {{ {block.rstrip()[: -len('};')]} {module} }}; }}; }};\n"
    )
    subprocess.run(["dtc", "-q", "-O", "dtb", "-o", tmp_path / "tree", tmp_path / "board.dts"], check=True)
    check = [ROOT / "build/tools/holdfast-check", tmp_path / "tree", "0x48000000", "0x40400000", "0x200000"]
    done = subprocess.run([*check, "0x50000000", tmp_path / "kernel"], capture_output=True, text=True)
    assert "(HF) 1 of 1 domains started" in done.stdout and not done.returncode, done.stdout


def test_commands_of_the_monitor():
    """Its page has the keys and commands of the source."""
    source = (ROOT / "common/boot/monitor_commands.c").read_text()
    rows = re.findall(r'^    \{"(\w+)", (?:\'(\w)\'|0), "([^"]*)", "', source, re.M)
    own = {(key, f"{name} {arguments}".strip()) for name, key, arguments in rows}
    page = (ROOT / "docs/monitor.md").read_text()
    told = set(re.findall(r"^\| (?:`(\w)`)? ?\| `([^`]+)` \|", page, re.M))
    assert len(own) > 10 and {(key, text.replace("\\|", "|")) for key, text in told} == own


@pytest.mark.parametrize("source", sorted((ROOT / "docs/figures").glob("*.dot")), ids=lambda p: p.stem)
def test_figures_are_made_of_their_source(source):
    """Without graphviz: each text of the source stands in the picture, and no other."""
    text = re.sub(r"^//.*$", "", source.read_text(), flags=re.M)
    wanted = {re.sub(r"<\w>", "", part) for label in re.findall(r'label="([^"]*)"', text) for part in re.split(r"\\n|\|", label)}
    drawn = {html.unescape(t) for t in re.findall(r"<text [^>]*>([^<]*)</text>", source.with_suffix(".svg").read_text())}
    assert drawn == wanted
