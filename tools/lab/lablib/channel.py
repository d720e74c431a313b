# SPDX-License-Identifier: GPL-2.0-only
"""The byte stream out of an emulated host: output between two marks.

What comes before the start mark is the emulator's or the BIOS', what comes
after the exit mark is the emulator's again. Between them signs of life are
strewn in. guest/labrun.c writes the marks.
"""
import re
import time

START = b"\0\x1elab-start\x1e"
_MARK = re.compile(rb"\0\x1elab-(?:alive|exit:(\d{3}))\x1e")
# Every proper prefix of a mark matches this in full.
_PARTIAL = re.compile(rb"\0(\x1e(l(a(b(-(a(l(i(v(e)?)?)?)?|"
                      rb"e(x(i(t(:\d{0,3})?)?)?)?)?)?)?)?)?)?")
_LONGEST = len(b"\0\x1elab-exit:000\x1e")


class Channel:
    """Feed it what the emulator writes; it gives back what the command wrote."""

    def __init__(self):
        self.started = False
        self.status = None
        self.last_sign = None   # monotonic time of the last byte or mark
        self._held = b""

    def feed(self, data):
        """The bytes of the command's output that DATA completes."""
        if data:
            self.last_sign = time.monotonic()
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
        output = []
        at = 0
        for match in _MARK.finditer(data):
            output.append(data[at:match.start()])
            at = match.end()
            if match.group(1):
                self.status = int(match.group(1))
                return b"".join(output)
        data = data[at:]
        # Hold back what may be the beginning of a mark.
        cut = data.rfind(b"\0", max(0, len(data) - _LONGEST))
        if cut >= 0 and _PARTIAL.fullmatch(data, cut):
            self._held = data[cut:]
            data = data[:cut]
        output.append(data)
        return b"".join(output)

    def silent(self):
        """Seconds since the host last gave a sign of life, once it started."""
        if not self.started:
            return 0
        return time.monotonic() - self.last_sign
