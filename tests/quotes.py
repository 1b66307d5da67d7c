#!/usr/bin/python3
"""What the documentation quotes of Holdfast's console was said by it in the system tests, but for
numbers and names of domains.

    tests/quotes.py -- after `make system`; ends with 1 if it is not so
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
NUMBER = re.compile(r"0x[0-9a-f]+|\d+")


def pattern(line):
    """A quoted line as a regular expression: any numbers, any domain's name, `...` for anything."""
    parts = [r"\s+".join(re.escape(word) for word in NUMBER.sub("0", part).split()) for part in line.split("...")]
    return re.compile(r"[^\n]*".join(parts).replace("domU0", r"[\w-]+") + r"\s*$", re.M)


def main():
    said = "\n".join(
        NUMBER.sub("0", log.read_text(errors="replace").replace("\r", "")) for log in (ROOT / "build/tests").glob("*.log")
    )
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    quotes = {(page.name, line) for page in pages for line in re.findall(r"^    (\(HF\) .*)$", page.read_text(), re.M)}
    quotes = {(page, line) for page, line in quotes if not line.startswith("(HF) >")}  # what is typed
    wrong = [quote for quote in sorted(quotes) if not pattern(quote[1]).search(said)]
    for page, line in wrong:
        print(f"{page}: no machine of the system tests said {line!r}", file=sys.stderr)
    print(f"{len(quotes)} lines of the console are quoted in the documentation")
    return 1 if wrong or len(quotes) < 10 else 0


sys.exit(main())
