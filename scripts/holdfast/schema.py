"""The device tree schema of /chosen (dts/schema), looked at by Debian's dt-validate."""
import pathlib
import re
import shutil
import subprocess

TOP = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = (TOP / "dts/schema", TOP / "holdfast/schema")  # in the source, installed


def findings(files):
    """{file: what the schema has against it}; None without dt-validate."""
    if not shutil.which("dt-validate"):
        return None
    (folder,) = (f for f in FOLDERS if f.is_dir())
    done = subprocess.run(
        ["dt-validate", "-s", folder, "-l", "holdfast,", *(pathlib.Path(f).resolve() for f in files)],
        capture_output=True, text=True,
    )  # fmt: skip
    found = {pathlib.Path(f): [] for f in files}
    if done.returncode:
        for file in found:
            found[file] = [f"dt-validate failed: {done.stderr.strip().splitlines()[-1]}"]
        return found
    for said in re.split(r"\n\tFrom schema: .*\n", done.stderr):
        for file, lines in found.items():
            where = re.search(rf"^{re.escape(str(file.resolve()))}: ", said, re.M)
            if where:
                lines.append(" ".join(said[where.end() :].split()))
    return found
