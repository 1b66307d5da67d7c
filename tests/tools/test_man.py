"""The manual pages say what the programs do, and the package's description what the source is."""
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs/man").glob("*"))


def text(page):
    """As a reader sees it, in one line."""
    done = subprocess.run(["groff", "-man", "-ww", "-Tascii", "-P-c", page], capture_output=True, text=True)
    assert not done.stderr
    return " ".join(re.sub(r".\x08", "", done.stdout).replace("-\n", "-").split())


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_page(page):
    assert f" {page.stem} - " in text(page)
    for name, section in re.findall(r"^\.BR ([\w\\-]+) \((\d)\)", page.read_text(), re.M):
        assert not name.startswith("holdfast") or (ROOT / f"docs/man/{name.replace(chr(92), '')}.{section}").exists()


@pytest.mark.parametrize("tool", ["holdfast-image", "holdfast-dt"])
def test_options_are_those_of_the_program(tool):
    said = subprocess.run([ROOT / "scripts" / tool, "--help"], check=True, capture_output=True, text=True).stdout
    option = re.compile(r"(?<![\w-])--?[a-z][\w-]*")
    own = set(option.findall(said[said.index("options:") :]))
    source = (ROOT / f"docs/man/{tool}.1").read_text().replace("\\-", "-")
    assert set(option.findall(source[source.index(".SH OPTIONS") : source.index(".SH EXIT")])) == own
    kinds = re.search(r"\{([\w,]+)\}", said)
    for kind in kinds[1].split(",") if kinds else []:
        assert f"\n.TP\n.B {kind}\n" in source


def test_words_of_the_command_line():
    source = (ROOT / "docs/man/holdfast.7").read_text()
    source = source[source.index(".SH COMMAND LINE") : source.index(".SH FILES")]
    ours = set(re.findall(r"\.TP\n\.BI?R? ([\w-]+)", source))
    told = set(re.findall(r"^\| `([\w-]+)", (ROOT / "docs/command-line.md").read_text(), re.M))
    assert ours == told


def test_version_of_the_package():
    version = re.search(r"^VERSION := (\S+)$", (ROOT / "Makefile").read_text(), re.M)[1]
    assert re.match(rf"holdfast \({re.escape(version)}-\d+\) ", (ROOT / "debian/changelog").read_text())


def test_packages_have_everything_that_is_installed():
    """What `make install` puts outside of /boot comes from the tree; a new tool has a page."""
    makefile = (ROOT / "Makefile").read_text()
    tools = set(re.findall(r"/bin/(holdfast-\w+)$", makefile, re.M))
    tools |= {name for line in re.findall(r"install -D -t \S+/bin (.*)$", makefile, re.M) for name in re.findall(r"scripts/([\w-]+)", line)}
    assert tools == {page.stem for page in PAGES if page.suffix == ".1"}
