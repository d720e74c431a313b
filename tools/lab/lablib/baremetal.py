# SPDX-License-Identifier: GPL-2.0-only
"""Guests on the bare emulated machine: what they print there is the reference.

How a guest ends, on either emulator: it prints a line "EXIT n" on COM1, waits
until the transmitter is empty (LSR bit 6: Bochs takes a character's time for
each), writes n to port 0xf4 (QEMU ends there), then "Shutdown" to port 0x8900
(Bochs ends there), and halts. The exit status is (n << 1) | 1, as QEMU's
isa-debug-exit makes it. A machine that powers itself off gives 0, one that
resets or dies gives 125.
"""
import re
import sys
import time
from pathlib import Path

from deplib.cache import Failure

from . import console, machine, measure, multiboot, qmp, report, session
from .emulator import Emulator
from .rundir import RunDirectory

EXIT_LINE = re.compile(rb"(?:^|\n)EXIT (\d+)\r?\n")
TICKS_MARK = re.compile(rb"\0\x1elab-ticks:([0-9a-f]{16})\x1e")
# A guest that printed EXIT has this long to switch the machine off.
GRACE = 2


class Stream:
    """COM1's bytes from the guest's start on, with an eye on the EXIT line.

    On Bochs what comes before the loader's mark is the emulator's banner.
    """

    def __init__(self, marked):
        self.start = None
        self.value = None
        self._waiting = b"" if marked else None
        self._line = b""

    def feed(self, data):
        """What of DATA is the guest's."""
        if self._waiting is not None:
            self._waiting += data
            match = TICKS_MARK.search(self._waiting)
            if not match:
                return b""
            self.start = int(match.group(1), 16)
            data = self._waiting[match.end():]
            self._waiting = None
        self._line = (self._line + data)[-4096:]
        match = EXIT_LINE.search(self._line)
        if match:
            self.value = int(match.group(1))
        return data

    def rest(self):
        """What came of a machine that never got to its guest."""
        return self._waiting or b""


def _load(setup, options):
    """Put the guest of OPTIONS into SETUP."""
    setup.bare = True
    setup.command_line = " ".join(options.append)
    if options.initrd:
        setup.initrd = [Path(options.initrd).read_bytes()]
    if options.elf:
        if setup.initrd:
            raise Failure("--initrd goes with --kernel, not with --elf")
        setup.kernel = Path(options.elf).resolve()
        if setup.emulator != "qemu":
            # QEMU puts the file's name first, as boot loaders do.
            setup.command_line = f"{setup.kernel} {setup.command_line}"
        # Checks the file on both emulators alike.
        entry, _ = multiboot.entry_and_segments(setup.kernel)
        if setup.emulator != "qemu":
            setup.image = multiboot.image(setup.kernel, setup.directory)
        return entry
    setup.load_linux(Path(options.kernel).resolve(), options.kaslr)
    if setup.emulator == "qemu" and not options.kaslr:
        return _pvh_entry(setup.kernel.read_bytes())
    return None


def _pvh_entry(elf):
    """Address in the note of an ELF kernel that QEMU enters it by."""
    match = re.search(rb"\x04\0\0\0[\x04\x08]\0\0\0\x12\0\0\0Xen\0(.{4})", elf,
                      re.S)
    return int.from_bytes(match.group(1), "little") if match else None


class _Bochs:
    """The parts of a run that are Bochs' own."""

    def __init__(self, setup):
        self.pass_fds = ()
        self._log = setup.directory / "bochs.log"

    def begin(self, entry, seconds):
        """Nothing: the loader sends the start itself."""

    def finished(self, _stream):
        """Whether the machine should be considered off although it runs."""
        return False

    def verdict(self, _returncode):
        """(status, message) of a machine that ended by itself."""
        text = "\n".join(console.read(self._log)[-400:])
        if "soft power off" in text or "Shutdown port" in text:
            return 0, None
        if "exception with no resolution" in text:
            return session.STATUS_HOST, "the guest triple-faulted"
        return session.STATUS_HOST, "the emulator died"

    def end_ticks(self):
        stamps = re.findall(r"^(\d+)p\[", "\n".join(console.read(self._log)),
                            re.M)
        return int(stamps[-1]) if stamps else None


class _Qemu:
    """The parts of a run that are QEMU's own."""

    def __init__(self, setup, ticks):
        ours, theirs = qmp.pair()
        self._theirs = [theirs]
        self._qmp = qmp.Qmp(ours)
        setup.qmp_fd = theirs.fileno()
        self._gdb = None
        self._ticks = ticks
        self._start = 0
        self._end = None
        if ticks:
            # isa-debug-exit ends QEMU before it can be asked.
            setup.exit_port = False
            gdb, theirs = qmp.pair()
            self._theirs.append(theirs)
            self._gdb = qmp.Gdb(gdb)
            setup.gdb_fd = theirs.fileno()
        self.pass_fds = [end.fileno() for end in self._theirs]

    def begin(self, entry, seconds):
        for end in self._theirs:
            end.close()
        try:
            self._qmp.handshake()
            if self._ticks:
                if entry is None:
                    raise Failure("--ticks needs a kernel with a known entry")
                self._gdb.run_to(entry, seconds)
                self._start = self._qmp.instructions()
                self._gdb.detach()
            self._qmp.call("cont")
        except (EOFError, ConnectionError):
            # It is gone; its own words say why.
            pass

    def finished(self, stream):
        self._qmp.poll()
        if self._qmp.shutdown_reason():
            self._count()
            return True
        if self._ticks and stream.value is not None:
            # The guest is on its way into its last halt.
            time.sleep(0.1)
            self._qmp.call("stop")
            self._count()
            return True
        return False

    def _count(self):
        if self._ticks:
            self._end = self._qmp.instructions()

    def verdict(self, returncode):
        reason = self._qmp.shutdown_reason()
        if reason == "guest-shutdown":
            return 0, None
        if reason:
            return session.STATUS_HOST, f"the machine ended by {reason}"
        if returncode and returncode > 0 and returncode & 1:
            return returncode, None
        return session.STATUS_HOST, "the emulator died"

    def end_ticks(self):
        return self._end

    @property
    def start(self):
        return self._start


def _watch(emulator, stream, part, deadline):
    """Pass output on until the machine is off; True if in time."""
    out = sys.stdout.buffer
    grace = None
    try:
        for data in emulator.output(deadline, every=0.05):
            out.write(stream.feed(data))
            out.flush()
            if part.finished(stream):
                return True
            if stream.value is not None:
                grace = grace or time.monotonic() + GRACE
                if time.monotonic() > grace:
                    return True
    except TimeoutError:
        return False
    finally:
        out.write(stream.rest())
        out.flush()
    return True


def run(options):
    """`lab baremetal`: returns the exit status."""
    session.exit_on_signals()
    options.count = options.count or options.ticks
    timeout = options.timeout or machine.DEFAULT_TIMEOUT[options.machine]
    with RunDirectory(options.keep) as directory:
        setup = machine.setup(options, directory.path)
        entry = _load(setup, options)
        qemu = setup.emulator == "qemu"
        part = _Qemu(setup, options.ticks) if qemu else _Bochs(setup)
        argv, env = setup.command()
        stream = Stream(marked=not qemu)
        with Emulator(argv, directory.path, env=env,
                      pass_fds=part.pass_fds) as emulator:
            part.begin(entry, timeout)
            in_time = _watch(emulator, stream, part,
                             time.monotonic() + timeout)
            returncode = emulator.returncode() if in_time else None
        if options.keep:
            report.say(f"run directory: {directory.path}")
        if not in_time:
            report.say(f"the guest did not end within {timeout:g} s")
            return session.STATUS_TIMEOUT
        if options.ticks:
            _report_ticks(part, stream)
        measure.report(options, directory.path)
        if stream.value is not None:
            return (stream.value << 1 | 1) & 0xff
        status, message = part.verdict(returncode)
        if message:
            report.say(message)
            report.emulator_words(directory.path)
        return status


def _report_ticks(part, stream):
    start = stream.start if stream.start is not None else part.start
    end = part.end_ticks()
    if start is None or end is None:
        report.say("no instruction count: the guest did not switch the "
                   "machine off")
    else:
        report.say(f"ticks {end - start}")
