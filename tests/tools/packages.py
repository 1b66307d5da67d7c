#!/usr/bin/python3
"""What `make deb` made: the packages have what they should, and the tools run from them.

    tests/tools/packages.py FOLDER -- called by the Makefile
"""
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
WANTED = {
    "holdfast-hypervisor-arm64": ["/boot/holdfast-{upstream}-arm64.bin"],
    "holdfast-hypervisor-armhf": ["/boot/holdfast-{upstream}-arm32.bin"],
    "holdfast": [
        *(f"/usr/bin/holdfast-{tool}" for tool in ("image", "dt", "trace")),
        "/usr/libexec/holdfast-check",
        *(f"/usr/share/man/man1/holdfast-{tool}.1.gz" for tool in ("image", "dt", "trace")),
        "/usr/share/man/man7/holdfast.7.gz",
        *(f"/usr/share/doc/holdfast/docs/{page.name}" for page in (ROOT / "docs").glob("*.md")),
        *(f"/usr/share/doc/holdfast/docs/figures/{figure.name}" for figure in (ROOT / "docs/figures").glob("*.svg")),
        *(f"/usr/share/holdfast/schema/{schema.name}" for schema in (ROOT / "dts/schema").glob("*.yaml")),
        *(f"/usr/share/doc/holdfast/dts/{example.name}" for example in (ROOT / "dts").glob("*.yaml")),
    ],
}


def run(*command):
    return subprocess.run([str(c) for c in command], check=True, capture_output=True, text=True).stdout


def main():
    folder = pathlib.Path(sys.argv[1])
    version = run("dpkg-parsechangelog", "-l", ROOT / "debian/changelog", "-S", "Version").strip()
    upstream = version.rsplit("-", 1)[0]
    with tempfile.TemporaryDirectory() as root:
        for package, files in WANTED.items():
            (file,) = folder.glob(f"{package}_{version}_*.deb")
            run("dpkg-deb", "-x", file, root)
            for name in files:
                path = pathlib.Path(root + name.format(upstream=upstream))
                assert path.is_file(), f"{file.name} has no {path.name}"
                assert path.suffix != ".bin" or version.encode() in path.read_bytes(), f"{path.name} is not {version}"
            print(f"  {file.name}: {len(files)} files are as they should be")
        assert (folder / f"holdfast_{version}.dsc").is_file()
        config = pathlib.Path(root, "config.yaml")
        guest = pathlib.Path(root, "guest")
        guest.write_bytes(b"\x1f\x20\x03\xd5" * 1024)  # nop
        config.write_text(
            "memory: [0x40000000, 0x60000000]\n"
            f"holdfast: {root}/boot/holdfast-{upstream}-arm64.bin\ndevice-tree: board.dtb\n"
            "domains: [{name: a, kernel: guest, memory: 16}]\n"
        )
        board = pathlib.Path(root, "board.dts")
        board.write_text(
            "/dts-v1/; / { #address-cells = <2>; #size-cells = <2>; chosen { };\n"
            'memory@40000000 { device_type = "memory"; reg = <0 0x40000000 0 0x20000000>; };\n'
            'cpus { #address-cells = <1>; #size-cells = <0>; cpu@0 { device_type = "cpu"; reg = <0>; }; }; };\n'
        )
        run("dtc", "-q", "-O", "dtb", "-o", pathlib.Path(root, "board.dtb"), board)
        said = run(f"{root}/usr/bin/holdfast-image", config, "check")
        assert "(HF) 1 of 1 domains started" in said, said
        print("  holdfast-image of the package checks a machine with the package's image")


main()
