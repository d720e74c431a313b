# SPDX-License-Identifier: GPL-2.0-only
"""What the lab tells a person on stderr; stdout belongs to the command."""
import sys

from . import console

TAIL = 40
# Lines before the first complaint: the text of a WARN comes ahead of it.
BEFORE = 6
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


def console_part(directory):
    """Show a host's console from its first complaint on, or else its end."""
    lines = console.read(directory / "console.txt")
    found = console.complaints(lines)
    if found:
        start = max(0, lines.index(found[0]) - BEFORE)
        say(f"first complaint on the host's console ({directory}/console.txt):")
        lines = lines[start:start + TAIL]
    else:
        say(f"last lines of the host's console ({directory}/console.txt):")
        lines = lines[-TAIL:]
    for line in lines:
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
