# SPDX-License-Identifier: GPL-2.0-only
"""Running an emulator as a child that never outlives this process.

The child is killed by the kernel when we die, by whatever means, and by us on
every other way out. It gets its own session, so that the terminal's Ctrl-C
reaches only us.
"""
import contextlib
import ctypes
import os
import select
import signal
import subprocess
import time

PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


def _die_with(parent):
    """In the child, before exec: be killed when PARENT ends."""
    def prepare():
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)
    return prepare


class Emulator:
    """A running emulator. Use as a context manager: leaving it kills it."""

    def __init__(self, command, directory, stdin=subprocess.DEVNULL, env=None):
        self.started = time.monotonic()
        self._parent = os.getppid()
        with open(directory / "emulator.txt", "wb") as log:
            self.process = subprocess.Popen(
                command, stdin=stdin, stdout=subprocess.PIPE, stderr=log,
                cwd=directory, start_new_session=True, close_fds=True,
                env=dict(os.environ, **(env or {})),
                preexec_fn=_die_with(os.getpid()))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def kill(self):
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def orphaned(self):
        """Whether the one who started us is gone."""
        return os.getppid() != self._parent

    def output(self, deadline, tick):
        """Yield chunks of its output until it ends.

        Yields None about twice a second and calls TICK with the seconds it has
        been running. Ends early at DEADLINE (monotonic) with TimeoutError.
        """
        fd = self.process.stdout.fileno()
        while True:
            now = time.monotonic()
            if now >= deadline:
                raise TimeoutError
            if self.orphaned():
                raise KeyboardInterrupt
            ready, _, _ = select.select([fd], [], [],
                                        min(0.5, deadline - now))
            if ready:
                data = os.read(fd, 1 << 16)
                if not data:
                    return
                yield data
            tick(time.monotonic() - self.started)
