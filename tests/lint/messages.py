#!/usr/bin/python3
"""Every error line says what, where, and what happens now (docs/debugging.md).

    error: WHERE: [PROPERTY:] what was expected, what is there; what happens now

The lines are taken from the source: printk("error: ...") in full; guest_error() adds where and what
happens, so its text is the middle part alone. passthrough_refuse() and image_probe() give texts to it.
"""
import pathlib
import re
import sys

CALL = re.compile(r'\b(printk|guest_error|device_error|passthrough_refuse)\(((?:[^";]|"(?:[^"\\]|\\.)*")*?)\);')
WHOLE = re.compile(r"error: [^:;]*(%|/|[a-z])[^;]*: [^;]+; [^;]+\\n$")


def literals(arguments):
    """The string constants of a call, those that C joins, a macro among them, in one piece."""
    joined = re.sub(r'"\s*\w*\s*"', "", arguments)
    return re.findall(r'"((?:[^"\\]|\\.)*)"', joined)


def problem(call, texts):
    if call == "printk":
        if texts and texts[0].startswith("error") and not WHOLE.match(texts[0]):
            return "expected error: WHERE: WHAT; WHAT HAPPENS NOW"
        return None
    for text in texts:
        if "\\n" in text or text.rstrip().endswith((".", "!")):
            return "expected the middle part of a line, without its end"
        if text[:1].isupper() and not text.startswith(("CPU", "DMA", "GIC", "PCI", "RAM", "SPI")):
            return "expected a small letter: it stands in the middle of a line"
    return None


def main():
    found = wrong = 0
    for directory in ("common", "drivers", "arch"):
        for path in sorted(pathlib.Path(directory).rglob("*.c")):
            source = path.read_text()
            for match in CALL.finditer(source):
                texts = literals(match[2])
                found += 1
                why = problem(match[1], texts)
                if why:
                    wrong += 1
                    print(f"{path}:{source[: match.start()].count(chr(10)) + 1}: {texts}: {why}")
    if not found:
        sys.exit("messages: no call was found")
    sys.exit(1 if wrong else 0)


main()
