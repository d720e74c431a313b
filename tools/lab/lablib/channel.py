# SPDX-License-Identifier: GPL-2.0-only
"""The byte stream out of an emulated host: output between two marks.

What comes before the start mark is the emulator's or the BIOS', what comes
after the exit mark is the emulator's again. guest/labrun.c writes the marks.
"""
import re

START = b"\0\x1elab-start\x1e"
EXIT = re.compile(rb"\0\x1elab-exit:(\d{3})\x1e")
_EXIT_PREFIX = b"\0\x1elab-exit:"
_EXIT_LENGTH = len(_EXIT_PREFIX) + 4


class Channel:
    """Feed it what the emulator writes; it gives back what the command wrote."""

    def __init__(self):
        self.started = False
        self.status = None
        self._held = b""

    def feed(self, data):
        """The bytes of the command's output that DATA completes."""
        if self.status is not None:
            return b""
        data = self._held + data
        self._held = b""
        if not self.started:
            at = data.find(START)
            if at < 0:
                self._held = data[-len(START):]
                return b""
            self.started = True
            data = data[at + len(START):]
        match = EXIT.search(data)
        if match:
            self.status = int(match.group(1))
            return data[:match.start()]
        # Hold back what may be the beginning of the mark.
        at = data.rfind(b"\0", max(0, len(data) - _EXIT_LENGTH))
        if at >= 0 and _may_begin_mark(data[at:]):
            self._held = data[at:]
            return data[:at]
        return data


def _may_begin_mark(tail):
    if len(tail) <= len(_EXIT_PREFIX):
        return _EXIT_PREFIX.startswith(tail)
    return tail.startswith(_EXIT_PREFIX) and tail[len(_EXIT_PREFIX):].isdigit()
