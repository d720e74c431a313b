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

from deplib import cache

PR_SET_PDEATHSIG = 1
# Who started us; making artefacts may have taken minutes since.
_PARENT = os.getppid()
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

    def __init__(self, command, directory, env=None, pass_fds=()):
        self.started = time.monotonic()
        try:
            with open(directory / "emulator.txt", "wb") as log:
                self.process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                    stderr=log, cwd=directory, start_new_session=True,
                    pass_fds=pass_fds, env=dict(os.environ, **(env or {})),
                    preexec_fn=_die_with(os.getpid()))
        except FileNotFoundError as error:
            raise cache.missing_program(command[0]) from error

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
        return os.getppid() != _PARENT

    def seconds(self):
        """How long it has been running."""
        return time.monotonic() - self.started

    def output(self, deadline, every=0.5):
        """Yield chunks of its output until it ends.

        Yields b"" when nothing came for EVERY seconds. Raises TimeoutError at
        DEADLINE (monotonic) and KeyboardInterrupt when our parent is gone.
        """
        fd = self.process.stdout.fileno()
        while True:
            now = time.monotonic()
            if now >= deadline:
                raise TimeoutError
            if self.orphaned():
                raise KeyboardInterrupt
            ready, _, _ = select.select([fd], [], [],
                                        min(every, deadline - now))
            data = os.read(fd, 1 << 16) if ready else b""
            if ready and not data:
                return
            yield data

    def returncode(self, seconds=2):
        """Its exit status if it ends within SECONDS, else None."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.process.wait(seconds)
        return None
