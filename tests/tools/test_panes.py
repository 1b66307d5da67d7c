"""The consoles of `make run` in tmux: what is whose, keys to the right domain, and tmux itself."""
import os
import pathlib
import shlex
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from holdfast import panes  # noqa: E402

CONSOLE = (
    b"U-Boot\r\n(HF) a\r\n(d1) (d2) mine\r\n(d2) half\r\n(HF) *** Serial input to domU1 (d1) ***\r\n(d1) login: x\r(d1) y\r\n"
    b"(d2) no (d1) here\r\n(d12) far\r\n(dx) none\r\n(HF) *** Serial input to Holdfast ***\r\n(d1) *** Serial input to two (d2) ***\r\n"
)
SPLIT = {
    0: b"U-Boot\r\n(HF) a\r\n(HF) *** Serial input to domU1 (d1) ***\r\n(dx) none\r\n(HF) *** Serial input to Holdfast ***\r\n",
    1: b"(d2) mine\r\nlogin: x\ry\r\n*** Serial input to two (d2) ***\r\n",
    2: b"half\r\nno (d1) here\r\n",
    12: b"far\r\n",
}


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 10000])
def test_splitter(size):
    """However the console comes in pieces, each gets its own; no guest switches the input by its words."""
    got, switched = {}, []

    def show(number, text):
        got[number] = got.get(number, b"") + text

    splitter = panes.Splitter(show)
    for at in range(0, len(CONSOLE), size):
        switched += splitter.feed(CONSOLE[at : at + size])
    assert (got, switched) == (SPLIT, [1, 0])


def test_prompts_do_not_wait():
    got = []
    panes.Splitter(lambda *said: got.append(said)).feed(b"(d1) domU1:~# ")
    assert got == [(1, b"domU1:~# ")]


def test_keyboard():
    sent = []
    keyboard = panes.Keyboard(sent.append, 2)
    keyboard.typed(0, b"h")
    keyboard.typed(2, b"a")
    keyboard.typed(2, b"b")
    keyboard.typed(1, b"c")
    assert sent == [b"h", panes.SWITCH]
    keyboard.switched(1)
    keyboard.switched(2)
    assert sent[2:] == [panes.SWITCH, b"a", b"b", panes.SWITCH]
    keyboard.switched(0)
    keyboard.switched(1)
    assert sent[6:] == [panes.SWITCH, b"c"]


def test_keys_for_a_domain_that_is_gone():
    """They are dropped when every console was tried; others' keys come through."""
    sent = []
    keyboard = panes.Keyboard(sent.append, 2)
    keyboard.typed(2, b"lost")
    keyboard.typed(0, b"kept")
    for number in (1, 0, 1, 0):
        keyboard.switched(number)
    assert b"lost" not in sent and sent[-1] == b"kept"


WANTED = f"import sys; sys.path.insert(0, '{ROOT}/scripts'); from holdfast import panes; print('wanted', panes.wanted())"


def test_only_on_a_terminal():
    environment = os.environ | {"TMUX": "x", "TMUX_PANE": "%0", "PANES": "1"}
    command = [sys.executable, "-B", "-c", WANTED]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment)
    assert done.stdout == "wanted False\n"


def test_in_tmux(tmp_path):
    """A pane for each domain shows its words and takes its keys; the exit status is the machine's."""
    environment = {k: v for k, v in os.environ.items() if k not in ("TMUX", "TMUX_PANE", "PANES")} | {"TERM": "screen", "LC_ALL": "C.UTF-8"}

    def tmux(*words):
        command = ["tmux", "-S", tmp_path / "tmux", "-f", "/dev/null", *words]
        return subprocess.run(command, capture_output=True, text=True, env=environment).stdout

    def shown(pane, text):
        """Whether the pane comes to show it, however slow the machine is."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if text in tmux("capture-pane", "-p", "-t", pane):
                return True
            time.sleep(0.05)
        return False

    program = f"{sys.executable} -B {ROOT}/tests/tools/machine_of_panes.py {ROOT}/scripts; echo status $?; read x"
    tmux("new-session", "-d", "-x", "120", "-y", "50", program)
    try:
        end = time.monotonic() + 60
        while len(ids := tmux("list-panes", "-F", "#{pane_id}").split()) < 3 and time.monotonic() < end:
            time.sleep(0.05)
        home = ids[0]
        assert shown(home, "firmware\n(HF) hello")
        (one,) = (i for i in ids[1:] if shown(i, "--- ") and "--- one ---" in tmux("capture-pane", "-p", "-t", i))
        (two,) = set(ids) - {home, one}
        assert shown(one, "one is up") and shown(two, "two is up")
        for pane, key, number in ((two, "a", 2), (one, "b", 1), (two, "c", 2)):
            tmux("send-keys", "-t", pane, key)
            assert shown(pane, f"domain {number} got {key}")
        assert "got" not in tmux("capture-pane", "-p", "-t", home)
        # A program in a pane may have terminals of its own, and read what is said there.
        inner = f"import pty; pty.spawn([{sys.executable!r}, '-B', '-c', {WANTED!r}])"
        for program, wanted in ((WANTED, True), (inner, False)):
            window = tmux("new-window", "-d", "-P", "-F", "#{pane_id}", shlex.join([sys.executable, "-B", "-c", program]) + "; read x")
            assert shown(window.strip(), f"wanted {wanted}")
        tmux("send-keys", "-t", home, "q")
        assert shown(home, "status 7")
    finally:
        tmux("kill-server")
