# SPDX-License-Identifier: GPL-2.0-only
"""Runs in the lab: many commands in one boot, each framed in the output.

A boot costs seconds, a command little: so a runner hands over a list of
commands and gets each one's output, status and time back. The frame lines
carry a random word, so that no test can print one by accident.
"""
import os
import re
import secrets
import shlex
import subprocess
import sys

from . import LAB

PARAMETERS = "/sys/module/tandem/parameters"


class Command:
    """What to run and, afterwards, what came of it."""

    def __init__(self, name, shell, timeout=60):
        self.name = name
        self.shell = shell
        self.timeout = timeout
        self.output = None      # None: was never reached
        self.status = None      # None: did not end
        self.seconds = None


def add_machine_options(parser):
    parser.add_argument("--machine", choices=("vmx", "bt", "svm"),
                        default="vmx")
    parser.add_argument("--emulator")
    parser.add_argument("--cpu", metavar="MODEL")
    parser.add_argument("--smp", type=int, default=1)
    parser.add_argument("--mem", type=int)
    parser.add_argument("--kernel", choices=("6.1", "6.12"), default="6.1")
    parser.add_argument("--module", metavar="PATH",
                        help="test this instead of build/tandem-KERNEL.ko")
    parser.add_argument("--module-args", metavar="ARGS")
    parser.add_argument("--append", action="append", default=[],
                        metavar="ARGS")
    parser.add_argument("--device", default="/dev/tandem",
                        help="/dev/kvm: KVM itself, to check the tests")
    parser.add_argument("--verbose", "-v", action="store_true",
                        help="show the lab's own messages")


def emulator(args):
    """"bochs" or "qemu": what args' machine is emulated by."""
    if args.emulator:
        return "qemu" if args.emulator == "qemu" else "bochs"
    return "bochs" if args.machine == "vmx" else "qemu"


def choose(**words):
    """Shell that sets the module's parameters to words that are not None:
    what VMs get that do not ask."""
    return "".join(f"echo {word} > {PARAMETERS}/{name} || exit 1\n"
                   for name, word in words.items() if word)


def machine_arguments(args):
    out = ["--machine", args.machine, "--kernel", args.kernel,
           "--smp", str(args.smp)]
    for option in ("emulator", "cpu", "mem"):
        value = getattr(args, option)
        if value:
            out += ["--" + option, str(value)]
    for value in args.append:
        out += ["--append=" + value]
    if args.device == "/dev/kvm":
        out += ["--no-module", "--kmod",
                "kvm_amd" if args.machine == "svm" else "kvm_intel"]
    else:
        for option in ("module", "module_args"):
            value = getattr(args, option, None)
            if value:
                out += [f"--{option.replace('_', '-')}={value}"]
    return out


def _script(commands, setup, word):
    lines = ["#!/bin/sh", setup]
    for number, command in enumerate(commands):
        # The shell's own idea of time is too coarse: /proc/uptime has 10 ms.
        lines += [
            f"echo '@{word} start {number}'",
            "read t0 x < /proc/uptime",
            f"timeout -s KILL {command.timeout} sh -c "
            f"{shlex.quote(command.shell)} </dev/null 2>&1",
            "rc=$?",
            "read t1 x < /proc/uptime",
            f"echo; echo \"@{word} end {number} $rc $t0 $t1\"",
        ]
    lines.append("exit 0")
    return "\n".join(lines) + "\n"


def _split(output, commands, word):
    current = None
    for line in output.split("\n"):
        match = re.match(rf"@{word} (start|end) (\d+)(.*)", line.rstrip("\r"))
        if not match:
            if current is not None:
                current.output += line.rstrip("\r") + "\n"
            continue
        if match.group(1) == "start":
            current = commands[int(match.group(2))]
            current.output = ""
            continue
        status, start, end = match.group(3).split()
        done = commands[int(match.group(2))]
        done.status = int(status)
        done.seconds = float(end) - float(start)
        done.output = done.output.rstrip("\n") + "\n"
        current = None


def run(commands, args, files=(), setup="", timeout=600, extra=()):
    """Runs commands in one boot. files: (host path, guest path) pairs.

    Returns (lab's status, tail of lab's messages). A host that dies leaves
    the commands behind the point of death without output."""
    word = secrets.token_hex(4)
    directory = os.path.join(os.environ.get("TMPDIR", "/tmp"),
                             f"tandem-labrun-{os.getpid()}-{word}")
    os.mkdir(directory)
    script = os.path.join(directory, "labrun.sh")
    try:
        with open(script, "w", encoding="ascii") as out:
            out.write(_script(commands, setup, word))
        os.chmod(script, 0o755)
        argv = [LAB, "run", *machine_arguments(args), *extra,
                "--timeout", str(timeout)]
        for host, guest in [*files, (script, "/root/labrun.sh")]:
            argv += ["--file", f"{host}:{guest}"]
        argv += ["--", "/root/labrun.sh"]
        if args.verbose:
            print("# " + shlex.join(argv), file=sys.stderr)
        done = subprocess.run(argv, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              check=False)
    finally:
        if os.path.exists(script):
            os.unlink(script)
        os.rmdir(directory)
    messages = done.stderr.decode("utf-8", "replace").replace("\r", "\n")
    if args.verbose:
        sys.stderr.write(messages)
    _split(done.stdout.decode("utf-8", "replace"), commands, word)
    return done.returncode, "\n".join(messages.splitlines()[-40:])
