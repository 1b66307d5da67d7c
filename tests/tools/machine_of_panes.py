#!/usr/bin/python3
"""A console as Holdfast's, without a machine: two domains that repeat what they are typed, in their own words.

Three times Ctrl-A switches the input; "q" from the keyboard of Holdfast ends with status 7.
"""
import os
import sys
import tty

sys.path.insert(0, sys.argv[1])
from holdfast import panes  # noqa: E402


def machine():
    focus, presses = 0, 0
    os.write(1, b"firmware\r\n(HF) hello\r\n(d1) one is up\r\n(d2) two is up\r\n")
    while key := os.read(0, 1):
        presses = presses + 1 if key == b"\1" else 0
        if presses == 3:
            presses, focus = 0, (focus + 1) % 3
            os.write(1, b"(HF) *** Serial input to domU%d (d%d) ***\r\n" % (focus, focus) if focus else b"(HF) *** Serial input to Holdfast ***\r\n")
        elif key != b"\1" and focus:
            os.write(1, b"(d%d) domain %d got %s\r\n" % (focus, focus, key))
        elif key == b"q":
            sys.exit(7)


if len(sys.argv) == 3:
    tty.setraw(0) if os.isatty(0) else None
    machine()
assert panes.wanted()
sys.exit(panes.run([sys.executable, __file__, sys.argv[1], "machine"], ["one", "two"]))
