# SPDX-License-Identifier: GPL-2.0-only
"""One run of an emulated host: start, watch, judge, tell."""
import contextlib
import signal
import sys
import time
from pathlib import Path

from deplib import cache, kernel

from . import artefacts, console, initramfs, machine, measure, report
from .channel import Channel
from .emulator import Emulator
from .rundir import RunDirectory

STATUS_TIMEOUT = 124
STATUS_HOST = 125
# After the exit mark the machine powers itself off; this long at most.
GRACE = 3
COMPLAINTS_SHOWN = 12
# A host that runs shows a sign of life every guest second. Without one for so
# many real seconds it hangs with interrupts off.
SILENCE = 30
# Fewer tell a hang from a slow command when the time is up.
SILENCE_AT_TIMEOUT = 8

# A host that hangs or oopses ends at once, and says all it knows before.
KERNEL_OPTIONS = (
    "console=ttyS0,115200", "quiet", "cryptomgr.notests",
    "random.trust_cpu=on", "reboot=t", "panic=-1", "oops=panic",
    "softlockup_panic=1", "hung_task_panic=1",
    "sysctl.kernel.panic_on_rcu_stall=1", "mitigations=off")


def exit_on_signals():
    """Turn signals that end us into SystemExit, so that all is cleaned up."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))


def module_of(options):
    """Path of the module to load, or None."""
    if options.no_module:
        return None
    path = Path(options.module) if options.module else \
        artefacts.REPOSITORY / f"build/tandem-{options.kernel}.ko"
    if not path.is_file():
        raise cache.Failure(f"{path} does not exist; build it with `make`, or "
                            "use --no-module")
    return path


def prepare(options, setup, interactive=False):
    """Put the host of OPTIONS into SETUP; a shell instead of the command?"""
    setup.load_linux(kernel.vmlinuz(options.kernel), options.kaslr)
    words = [*KERNEL_OPTIONS, *setup.backend.kernel_options(setup)]
    if not options.kaslr:
        words.append("nokaslr")
    setup.command_line = " ".join(words + options.append)
    setup.initrd = initramfs.archives(options, module_of(options),
                                       interactive)


def _console_stream(path, state):
    """Copy what is new in the console at PATH to stderr."""
    with contextlib.suppress(FileNotFoundError):
        with open(path, "rb") as handle:
            handle.seek(state["shown"])
            data = handle.read()
        state["shown"] += len(data)
        sys.stderr.buffer.write(data)
        sys.stderr.flush()


def _watch(emulator, channel, deadline, silence, each):
    """Pass output on until the machine is off, or silent for SILENCE seconds.

    False at DEADLINE. EACH is called with the seconds passed, about twice a
    second.
    """
    out = sys.stdout.buffer
    try:
        for data in emulator.output(deadline):
            text = channel.feed(data)
            each(emulator.seconds())
            if text:
                out.write(text)
                out.flush()
            if channel.status is not None:
                break
            if channel.silent() > silence:
                return True
        if channel.status is not None:
            with contextlib.suppress(TimeoutError):
                for _ in emulator.output(time.monotonic() + GRACE):
                    pass
    except TimeoutError:
        return False
    return True


def _run(options, setup, channel, timeout):
    """Start the machine and see it through; False if it took too long."""
    progress = report.Progress()
    argv, env = setup.command()
    shown = {"shown": 0}
    console_path = setup.directory / "console.txt"

    def each(seconds):
        if options.console:
            _console_stream(console_path, shown)
        elif channel.started:
            progress.clear()
        else:
            progress.show(f"lab: booting host ({seconds:.0f} s)")

    try:
        with Emulator(argv, setup.directory, env=env) as emulator:
            # Counting mode has no signs of life, they would be counted.
            return _watch(emulator, channel, time.monotonic() + timeout,
                          timeout if options.count else SILENCE, each)
    finally:
        progress.clear()
        if options.console:
            _console_stream(console_path, shown)


def _judge(channel, in_time, directory, timeout, counting):
    """(exit status of the run, lines to say about it)."""
    lines = console.read(directory / "console.txt")
    found = console.complaints(lines)
    if found:
        return STATUS_HOST, ["the host complained:"] + \
            ["  " + line for line in found[:COMPLAINTS_SHOWN]]
    if channel.status is not None:
        return channel.status, []
    silent = SILENCE_AT_TIMEOUT if not in_time else SILENCE
    if not counting and channel.silent() > silent:
        return STATUS_HOST, ["the host hung: no sign of life for "
                             f"{channel.silent():.0f} s"]
    if not in_time and not channel.started and console.is_up(lines):
        return STATUS_HOST, ["the host hung while it loaded the module"]
    if not in_time:
        what = "command did not end" if channel.started \
            else "host did not come up"
        return STATUS_TIMEOUT, [f"the {what} within {timeout:g} s"]
    return STATUS_HOST, ["the host died without an exit status"]


def run(options):
    """`lab run`: returns the exit status."""
    exit_on_signals()
    timeout = options.timeout or machine.DEFAULT_TIMEOUT[options.machine]
    with RunDirectory(options.keep) as directory:
        setup = machine.setup(options, directory.path)
        prepare(options, setup)
        channel = Channel()
        in_time = _run(options, setup, channel, timeout)
        status, words = _judge(channel, in_time, directory.path, timeout,
                               options.count)
        for line in words:
            report.say(line)
        if words:
            directory.keep = True
            report.console_part(directory.path)
            report.emulator_words(directory.path)
        elif options.keep:
            report.say(f"run directory: {directory.path}")
        measure.report(options, directory.path)
        return status
