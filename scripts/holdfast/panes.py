"""Each domain's console in a tmux pane of its own, though the machine has one serial port.

What the machine says is split by the marks at the starts of lines. Keys of a pane go to its domain: the
input is switched there first, as by hand. Holdfast's own pane is the terminal that we were started in.
"""
import os
import pathlib
import re
import selectors
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import time
import tty

if __package__:
    from . import Refused

SWITCH = b"\x01\x01\x01"
SWITCHED = re.compile(rb"\*\*\* Serial input to [^\r\n]*?(?:\(d(\d+)\))? \*\*\*\r*$")
MARK = re.compile(rb"\((?:HF|d(\d+))\) ")
MARK_MAX = len(b"(d32752) ")
READING = 0.2  # seconds: a switch of the input drops the keys that a guest has not read yet


class Splitter:
    """Gives the text of a console to show(number, text); 0 is Holdfast, which keeps its marks, and all without one."""

    def __init__(self, show):
        self.show, self.held = show, b""
        self.owner, self.start = 0, True  # whose line it is; whether a mark may come
        self.line = b""  # of Holdfast, for what it says of the input

    def say(self, text):
        if not self.owner:
            self.line = (self.line + text)[-200:]
        self.show(self.owner, text)

    def feed(self, text):
        """More of the console. Numbers that the input was switched to are returned, in order."""
        switched, text = [], self.held + text
        self.held = b""
        while text:
            if self.start:
                mark = MARK.match(text)
                if not mark and text[:1] == b"(" and b" " not in text and len(text) < MARK_MAX:
                    self.held = text  # the rest of the mark is on its way
                    break
                if mark:
                    self.owner = int(mark[1] or 0)
                    self.line = b"" if not self.owner else self.line
                    text = text[mark.end() if self.owner else 0 :]
                self.start = False
            end = re.search(rb"\n|\r(?!\n)", text)
            if text.endswith(b"\r") and (not end or end.end() == len(text)):
                self.say(text[:-1])
                self.held = b"\r"  # before a newline it is nothing, else a mark may follow
                break
            if not end:
                self.say(text)
                break
            self.say(text[: end.end()])
            text = text[end.end() :]
            self.start = True
            if end[0] == b"\n":
                found = not self.owner and SWITCHED.search(self.line.rstrip(b"\r\n"))
                switched += [int(found[1] or 0)] if found else []
                self.owner, self.line = 0, b""
        return switched


class Keyboard:
    """The one keyboard of the machine, shared by all panes."""

    def __init__(self, send, domains):
        self.send, self.domains = send, domains
        self.focus, self.waiting, self.tries = 0, [], 0
        self.quiet_at = 0  # by when what was typed last has been read

    def typed(self, number, keys):
        self.waiting.append((number, keys))
        if len(self.waiting) == 1:
            self.tries = self.domains + 1
            self.go_on()

    def switched(self, number):
        self.focus = number
        if self.waiting:
            self.go_on()

    def go_on(self):
        while self.waiting and self.waiting[0][0] == self.focus:
            self.send(self.waiting.pop(0)[1])
            self.quiet_at = time.monotonic() + READING
            self.tries = self.domains + 1
        if self.waiting and not self.tries:  # the domain is gone: all consoles were tried
            gone = self.waiting[0][0]
            self.waiting = [w for w in self.waiting if w[0] != gone]
            self.tries = self.domains + 1
            self.go_on()
        elif self.waiting:
            self.tries -= 1
            time.sleep(max(0, self.quiet_at - time.monotonic()))
            self.send(SWITCH)


def wanted():
    """Whether panes are to be made: on a terminal inside tmux; PANES=0 says no, PANES=1 makes a tmux if need be."""
    asked = os.environ.get("PANES", "")
    if asked == "0" or not shutil.which("tmux") or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    return asked == "1" or inside()


def inside():
    """Whether our terminal is a pane of tmux, and not that of a program which runs in one."""
    if not {"TMUX", "TMUX_PANE"} <= set(os.environ):
        return False
    found = subprocess.run(
        ["tmux", "display-message", "-p", "-t", os.environ["TMUX_PANE"], "#{pane_tty}"], capture_output=True, text=True
    )
    return found.stdout.strip() == os.ttyname(0)


def tmux(*words):
    return subprocess.run(["tmux", *words], check=True, capture_output=True, text=True).stdout.strip()


def in_new_tmux(arguments):
    """The same program once more, inside a tmux of its own; its exit status."""
    with tempfile.TemporaryDirectory() as work:
        status = pathlib.Path(work, "status")
        again = f"{shlex.join([sys.executable, *arguments])}; echo $? >{shlex.quote(str(status))}"
        server = ["tmux", "-L", f"holdfast-{os.getpid()}"]
        subprocess.run([*server, "new-session", again], check=False)
        subprocess.run([*server, "kill-server"], check=False, capture_output=True)  # who detaches ends it
        return int(status.read_text()) if status.exists() else 1


def raw(terminal):
    """Keys come one by one and uninterpreted; returns what restores it."""
    before = termios.tcgetattr(terminal)
    tty.setraw(terminal)
    return lambda: termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def run(command, names):
    """Runs a machine whose console is its standard input and output; its exit status."""
    with tempfile.TemporaryDirectory() as work, socket.socket(socket.AF_UNIX) as door:
        door.bind(f"{work}/door")
        door.listen()
        for number, name in enumerate(names, 1):
            program = shlex.join([sys.executable, "-B", __file__, f"{work}/door", str(number), name])
            try:
                tmux("split-window", "-d", "-t", os.environ["TMUX_PANE"], program)
            except subprocess.CalledProcessError as problem:
                raise Refused(f"PANES: a pane for {name}: {problem.stderr.strip()}; PANES=0 does without") from None
            tmux("select-layout", "-t", os.environ["TMUX_PANE"], "tiled")
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as machine:
            restore = raw(sys.stdin.fileno())
            signal.signal(signal.SIGHUP, lambda *_: sys.exit(1))
            try:
                serve(machine, door, len(names))
            except BaseException:
                machine.kill()
                raise
            finally:
                restore()
        return machine.returncode


def serve(machine, door, domains):
    """Until the machine ends."""
    panes, early = {}, {}  # number: connection; what was said before there was one
    numbers, spoken = {}, {0}

    def show(number, text):
        spoken.add(number)
        if not number or number > domains:
            os.write(sys.stdout.fileno(), text)
        elif number in panes:
            try:
                panes[number].sendall(text)
            except OSError:
                pass  # its pane was closed
        else:
            early[number] = early.get(number, b"") + text

    splitter = Splitter(show)
    keyboard = Keyboard(machine.stdin.write, domains)
    with selectors.DefaultSelector() as ready:
        for stream in (machine.stdout, sys.stdin, door):
            ready.register(stream, selectors.EVENT_READ)
        while True:
            for key, _ in ready.select():
                stream = key.fileobj
                if stream is door:
                    pane = door.accept()[0]
                    number = int(pane.recv(8))
                    panes[number], numbers[pane] = pane, number
                    ready.register(pane, selectors.EVENT_READ)
                    show(number, early.pop(number, b""))
                    continue
                text = os.read(stream.fileno(), 4096)
                if stream is machine.stdout:
                    if not text:
                        return
                    for number in splitter.feed(text):
                        keyboard.switched(number)
                elif not text:
                    ready.unregister(stream)
                elif numbers.get(stream, 0) in spoken:  # before that the input cannot be switched to it
                    keyboard.typed(numbers.get(stream, 0), text)


def pane(door, number, name):
    """The program in a domain's pane: its terminal, joined with the one who has the machine."""
    with socket.socket(socket.AF_UNIX) as there, selectors.DefaultSelector() as ready:
        there.connect(door)
        there.sendall(number.ljust(8).encode())
        os.write(1, f"\033]2;{name}\033\\--- {name} ---\r\n".encode())
        restore = raw(0)
        ready.register(there, selectors.EVENT_READ, 1)
        ready.register(0, selectors.EVENT_READ, there.fileno())
        try:
            while True:
                for key, _ in ready.select():
                    text = os.read(key.fd, 4096)
                    if not text:
                        return
                    os.write(key.data, text)
        finally:
            restore()


if __name__ == "__main__":
    pane(*sys.argv[1:])
