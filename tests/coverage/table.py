#!/usr/bin/env python3
"""Which lines of common/ and drivers/smmu the unit tests run: a table, from gcov's data.

The objects, built with --coverage under the directory given, have been run. The last column names
the lines that were not, as ranges.
"""

import glob
import json
import os
import subprocess
import sys

PARTS = ("common/", "drivers/smmu/")


def ranges(lines):
    """[3, 4, 5, 9] as "3-5 9"."""
    out = []
    for n in sorted(lines):
        if out and out[-1][1] == n - 1:
            out[-1][1] = n
        else:
            out.append([n, n])
    return " ".join(f"{a}-{b}" if b > a else str(a) for a, b in out)


def counts(objects):
    """{file: {line: times}}."""
    seen = {}
    out = subprocess.run(["gcov", "--json-format", "--stdout", *objects], check=True, capture_output=True)
    for report in out.stdout.splitlines():
        for source in json.loads(report)["files"]:
            lines = seen.setdefault(source["file"], {})
            for line in source["lines"]:
                n = line["line_number"]
                lines[n] = lines.get(n, 0) + line["count"]
    return seen


def main():
    built = sys.argv[1]
    seen = counts([n for p in PARTS for n in glob.glob(f"{built}/{p}**/*.gcno", recursive=True)])
    total = {}
    for path in sorted(f for p in PARTS for f in glob.glob(p + "**/*.c", recursive=True)):
        lines = seen.get(path)
        if lines is None:
            print(f"{path:36} in no unit test")
            continue
        missed = [n for n, times in lines.items() if not times]
        here = total.setdefault(os.path.dirname(path), [0, 0])
        here[0] += len(lines) - len(missed)
        here[1] += len(lines)
        print(f"{path:36} {100 * (1 - len(missed) / len(lines)):5.1f} %  {ranges(missed)}".rstrip())
    print()
    for part, (run, of) in total.items():
        print(f"{part:36} {100 * run / of:5.1f} %  {run} of {of} lines")


if __name__ == "__main__":
    main()
