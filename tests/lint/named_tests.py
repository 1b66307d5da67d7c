#!/usr/bin/python3
"""Each test that the documentation names exists, and is run: all `test_...`, and what stands in the last column of
docs/security.md's table of classes, each of which has one."""
import pathlib
import re
import sys

TESTS = pathlib.Path("tests")
RUN = {  # where, and how a test that is run is written there
    "unit/*.c": r"cmocka_unit_test\w*\((\w+)",
    "guests/**/*.c": r"\b\w*TEST\w*\((\w+)\)",
    "system/*.py": r"^def (test_\w+)",
    "tools/*.py": r"^def (test_\w+)",
}
CLASSES = "| class | tests |\n"


def main():
    exist = {path.stem for path in TESTS.rglob("test_*.*")}
    for files, pattern in RUN.items():
        for path in TESTS.glob(files):
            names = set(re.findall(pattern, path.read_text(encoding="utf-8"), re.M))
            exist |= names | {name.removeprefix("test_") for name in names}  # in a process of its own: CHILD()
    named = {
        (page.name, name)
        for page in pathlib.Path("docs").glob("*.md")
        for name in re.findall(r"`(test_\w+)(?:\.py)?`", page.read_text(encoding="utf-8"))
    }
    table = pathlib.Path("docs/security.md").read_text(encoding="utf-8").split(CLASSES)[1].split("\n\n")[0]
    rows = [row.strip("|").rsplit("|", 1) for row in table.splitlines()[1:]]
    wrong = [f"{page}: {name}: there is no such test" for page, name in sorted(named) if name not in exist]
    for name, tests in rows:
        tests = set(re.findall(r"`(\w+)`", tests))
        wrong += [f"security.md:{name}: {test}: there is no such test" for test in sorted(tests - exist)]
        wrong += [] if tests else [f"security.md:{name}: no test"]
    print("\n".join(wrong))
    sys.exit(bool(wrong) or len(rows) < 10)


main()
