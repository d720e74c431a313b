# SPDX-License-Identifier: GPL-2.0-only
"""An emulated host for a person: its console on this terminal."""
import os
import select
import socket
import termios
import tty

from . import report, session
from .emulator import Emulator
from .machine import setup as machine_setup
from .rundir import RunDirectory

QUIT = b"\x1d"                  # Ctrl-], as telnet has it


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _raw(fd):
    """Set terminal FD raw; a function that puts it back."""
    if not os.isatty(fd):
        return lambda: None
    saved = termios.tcgetattr(fd)
    tty.setraw(fd)
    return lambda: termios.tcsetattr(fd, termios.TCSADRAIN, saved)


def _relay(emulator, master):
    """Carry bytes between our terminal and the host's until one side ends."""
    ours = 0
    watched = [ours, master, emulator.process.stdout.fileno()]
    while emulator.process.poll() is None and not emulator.orphaned():
        ready, _, _ = select.select(watched, [], [], 0.5)
        for fd in ready:
            try:
                data = os.read(fd, 1 << 14)
            except OSError:     # the emulator has closed its side
                data = b""
            if fd == ours:
                if QUIT in data:
                    return
                if data:
                    os.write(master, data)
                else:
                    watched.remove(ours)
            elif fd == master:
                os.write(1, data)
            elif not data:
                watched.remove(fd)


def run(options):
    """`lab shell`: returns the exit status."""
    session.exit_on_signals()
    options.command = ["true"]
    master, slave = os.openpty()
    # The host's kernel does the line discipline, not this pty.
    tty.setraw(slave)
    with RunDirectory(options.keep) as directory:
        setup = machine_setup(options, directory.path)
        setup.terminal = os.ttyname(slave)
        if setup.emulator == "qemu":
            setup.gdb_port = _free_port()
        session.prepare(options, setup, interactive=True)
        argv, env = setup.command()
        report.say("Ctrl-] ends the machine")
        if setup.gdb_port:
            report.say("debugger: gdb -ex 'target remote 127.0.0.1:"
                       f"{setup.gdb_port}'; then add-symbol-file "
                       f"{session.module_of(options) or 'tandem.ko'} ADDRESS, "
                       "which /sys/module/tandem/sections/.text in the host "
                       "gives")
        else:
            report.say("Bochs as built here has no debugger stub; --machine bt "
                       "has one, --emulator bochs2.7 has Bochs' own debugger")
        restore = _raw(0)
        try:
            with Emulator(argv, directory.path, env=env) as emulator:
                _relay(emulator, master)
        finally:
            restore()
            print()
        report.emulator_words(directory.path)
    return 0
