"""The documentation hangs together: every page is in the index, every link leads somewhere."""
import pathlib
import re

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
