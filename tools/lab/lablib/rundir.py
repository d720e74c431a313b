# SPDX-License-Identifier: GPL-2.0-only
"""A directory for each run, below the cache: nothing is shared between runs."""
import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path

from deplib import cache

# Large, and of no use once the emulator has read them.
_INPUTS = ("blob.bin", "initrd")
# Directories that were kept (because of a failure) and not asked for go after
# a day, those of runs that were killed go as soon as somebody looks.
_KEEP_SECONDS = 24 * 3600


class RunDirectory:
    """Use as a context manager. Gone afterwards unless keep is set."""

    def __init__(self, keep=False):
        self.keep = keep
        self.path = None
        self._lock = None

    def __enter__(self):
        base = cache.root() / "runs"
        base.mkdir(exist_ok=True)
        _prune(base)
        self.path = Path(tempfile.mkdtemp(
            prefix=time.strftime("%m%d-%H%M%S-"), dir=base))
        self._lock = open(self.path / "lock", "w", encoding="ascii")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        return self

    def __exit__(self, *_):
        for name in _INPUTS:
            (self.path / name).unlink(missing_ok=True)
        (self.path / "lock").unlink(missing_ok=True)
        self._lock.close()
        if not self.keep:
            shutil.rmtree(self.path, ignore_errors=True)


def _prune(base):
    """Remove what killed runs left behind and what was kept for long enough."""
    for path in base.iterdir():
        with contextlib.suppress(OSError):
            lock = path / "lock"
            if lock.exists():
                with open(lock, encoding="ascii") as handle:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(path, ignore_errors=True)
            elif time.time() - os.stat(path).st_mtime > _KEEP_SECONDS:
                shutil.rmtree(path, ignore_errors=True)
