# SPDX-License-Identifier: GPL-2.0-only
"""What the lab tells a person on stderr; stdout belongs to the command."""
import sys

from . import console

TAIL = 40
# QEMU says this of every feature of a CPU model that TCG has not.
_NOISE = "warning: TCG doesn't support requested feature"


def say(text):
    print("lab: " + text, file=sys.stderr, flush=True)


def emulator_words(directory):
    """Show what the emulator said of its own end, if it was not asked for."""
    lines = [line for line in console.read(directory / "emulator.txt")
             if _NOISE not in line and not line.startswith("====")
             and not line.startswith("00000000000i[")]
    if lines and "Shutdown port" not in lines[-1]:
        say("the emulator said:")
        for line in lines[-5:]:
            print("  " + line, file=sys.stderr)


def console_tail(directory):
    """Show the end of a host's console and where all of it is."""
    lines = console.read(directory / "console.txt")
    say(f"last lines of the host's console ({directory}/console.txt):")
    for line in lines[-TAIL:]:
        print("  " + line, file=sys.stderr)


class Progress:
    """A line that says what goes on, if stderr is a terminal."""

    def __init__(self):
        self._active = sys.stderr.isatty()
        self._shown = ""

    def show(self, text):
        if self._active and text != self._shown:
            sys.stderr.write("\r\033[K" + text)
            sys.stderr.flush()
            self._shown = text

    def clear(self):
        if self._shown:
            self.show("")
