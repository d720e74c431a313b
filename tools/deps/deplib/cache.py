# SPDX-License-Identifier: GPL-2.0-only
"""The artefact cache: directories and files that are made once and then only read.

An artefact is complete if and only if its final path exists: it is made
under a temporary name, with a lock held, and renamed. Nothing may change an
artefact after that, because several labs read it at once and share it by hard
link or by mapping. A different version is a different path.
"""
import contextlib
import fcntl
import os
import shutil
import sys
import tempfile
from pathlib import Path


class Failure(Exception):
    """Something the user can act on; shown without a traceback."""


def missing_program(name):
    """The Failure for a program that is not there."""
    return Failure(f"{name} is not installed; run tools/deps/install")


def root():
    """The cache directory, XDG_CACHE_HOME/tandem, made if missing."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    path = Path(base) / "tandem"
    path.mkdir(parents=True, exist_ok=True)
    return path


def say(text):
    """One line of progress for a person; never on stdout, which scripts read."""
    print("tandem: " + text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def locked(name):
    """Hold the lock NAME; the kernel drops it if this process dies."""
    directory = root() / "locks"
    directory.mkdir(exist_ok=True)
    with open(directory / name.replace("/", "_"), "w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _discard(path):
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()


def made(name, make, what=None):
    """Path of the artefact NAME (relative to the cache), made if missing.

    MAKE is called with a temporary path that does not exist yet and must leave
    a file or a directory there. WHAT, if given, is said before that.
    """
    final = root() / name
    if final.exists():
        return final
    with locked(name):
        if final.exists():
            return final
        if what:
            say(what)
        final.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".new-", dir=final.parent))
        try:
            make(scratch / "x")
            os.rename(scratch / "x", final)
        finally:
            _discard(scratch)
    return final
