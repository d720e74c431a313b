# SPDX-License-Identifier: GPL-2.0-only
"""One run of an emulated host: start, watch, judge, tell."""
import contextlib
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from deplib import cache

from . import artefacts, console, initramfs, machine
from .channel import Channel
from .emulator import Emulator

STATUS_TIMEOUT = 124
STATUS_HOST = 125
# After the exit mark the machine powers itself off; this long at most.
GRACE = 3
TAIL = 40

KERNEL_OPTIONS = (
    "console=ttyS0,115200", "quiet", "cryptomgr.notests", "random.trust_cpu=on",
    "panic=-1", "oops=panic", "softlockup_panic=1", "hung_task_panic=1",
    "sysctl.kernel.panic_on_rcu_stall=1")


class Progress:
    """A line on stderr that says what goes on, if that is a terminal."""

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


@contextlib.contextmanager
def run_directory(keep):
    """A directory of this run alone; .keep on it makes it stay."""
    base = cache.root() / "runs"
    base.mkdir(exist_ok=True)
    directory = Path(tempfile.mkdtemp(prefix=time.strftime("%m%d-%H%M%S-"),
                                      dir=base))
    state = {"keep": keep}
    try:
        yield directory, state
    finally:
        for large in ("blob.bin", "initrd"):
            with contextlib.suppress(FileNotFoundError):
                (directory / large).unlink()
        if not state["keep"]:
            shutil.rmtree(directory, ignore_errors=True)


def _module(options):
    """Path of the module to load, or None."""
    if options.no_module:
        return None
    path = Path(options.module) if options.module else \
        artefacts.REPOSITORY / f"build/tandem-{options.kernel}.ko"
    if not path.is_file():
        raise cache.Failure(f"{path} does not exist; build it with `make`, or "
                            "use --no-module")
    return path


def command_line(options, setup):
    words = list(KERNEL_OPTIONS) + list(setup.backend.KERNEL_OPTIONS)
    if not options.kaslr:
        words.append("nokaslr")
    words.append("mitigations=off")
    return " ".join(words + options.append)


def _say(text):
    print("lab: " + text, file=sys.stderr)


def _watch(emulator, channel, deadline, progress):
    """Pass output on until the machine is off or DEADLINE; True if in time."""
    def tick(seconds):
        if not channel.started:
            progress.show(f"lab: booting host ({seconds:.0f} s)")

    out = sys.stdout.buffer
    try:
        for data in emulator.output(deadline, tick):
            text = channel.feed(data)
            if channel.started:
                progress.clear()
            if text:
                out.write(text)
                out.flush()
            if channel.status is not None:
                break
        if channel.status is not None:
            with contextlib.suppress(TimeoutError):
                for _ in emulator.output(time.monotonic() + GRACE,
                                         lambda _: None):
                    pass
    except TimeoutError:
        return False
    finally:
        progress.clear()
    return True


def _judge(channel, in_time, directory, timeout):
    """Exit status of the run, and what to say about it."""
    lines = console.read(directory / "console.txt")
    found = console.complaints(lines)
    if found:
        return STATUS_HOST, ["the host complained:"] + \
            ["  " + line for line in found[:12]]
    if channel.status is not None:
        return channel.status, []
    if not in_time:
        what = "did not end" if channel.started else "did not come up"
        return STATUS_TIMEOUT, [f"the host {what} within {timeout} s"]
    return STATUS_HOST, ["the host died without an exit status"]


def _tail(directory):
    lines = console.read(directory / "console.txt")
    _say(f"last lines of the host's console ({directory}/console.txt):")
    for line in lines[-TAIL:]:
        print("  " + line, file=sys.stderr)
    emulator = console.read(directory / "emulator.txt")
    if emulator:
        _say("the emulator said:")
        for line in emulator[-5:]:
            print("  " + line, file=sys.stderr)


def run(options):
    """`lab run`: returns the exit status."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(128 + signal.SIGHUP))
    timeout = options.timeout or machine.DEFAULT_TIMEOUT[options.machine]
    progress = Progress()
    with run_directory(options.keep) as (directory, state):
        setup = machine.setup(options, directory)
        setup.load_linux(machine.host_kernel(options.kernel), options.kaslr)
        setup.command_line = command_line(options, setup)
        setup.initrd = initramfs.archives(options, _module(options))
        argv, env = setup.command()
        channel = Channel()
        with Emulator(argv, directory, env=env) as emulator:
            in_time = _watch(emulator, channel, time.monotonic() + timeout,
                             progress)
        status, words = _judge(channel, in_time, directory, timeout)
        for line in words:
            _say(line)
        if status in (STATUS_HOST, STATUS_TIMEOUT) and words or \
                status and options.console:
            state["keep"] = True
            _tail(directory)
        if options.keep:
            _say(f"run directory: {directory}")
        return status
