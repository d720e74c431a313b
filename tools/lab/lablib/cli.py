# SPDX-License-Identifier: GPL-2.0-only
"""The command line of the lab."""
import argparse
import os
import sys

from deplib import apt, cache, kernel, trees

from . import artefacts, baremetal, machine, session, shell


def _machine_options(parser):
    parser.add_argument("--machine", choices=("vmx", "bt", "svm"),
                        default="vmx",
                        help="vmx: Bochs with VMX and EPT; bt: QEMU without "
                        "virtualisation; svm: QEMU with AMD's (default: vmx)")
    parser.add_argument("--emulator", choices=machine.EMULATORS)
    parser.add_argument("--cpu", metavar="MODEL",
                        help="the emulator's CPU model")
    parser.add_argument("--smp", type=int, default=1, metavar="N")
    parser.add_argument("--mem", type=int, metavar="MB")
    parser.add_argument("--count", action="store_true",
                        help="counting mode: the TSC counts instructions and "
                        "a run repeats exactly")
    parser.add_argument("--timeout", type=float, metavar="S")
    parser.add_argument("--events", metavar="FILE",
                        help="write there what was counted between markers: "
                        "instructions, VM exits by reason, exceptions "
                        "(Bochs 3.0)")
    parser.add_argument("--profile", nargs="?", type=int, const=40, default=0,
                        metavar="N", help="show the N (40) symbols of the "
                        "host's kernel that ran most instructions (Bochs 3.0)")
    parser.add_argument("--keep", action="store_true",
                        help="keep the run's directory and say where it is")


def _host_options(parser):
    parser.add_argument("--kernel", choices=tuple(kernel.SUITES),
                        default="6.1", help="the host's kernel")
    parser.add_argument("--file", action="append", default=[],
                        metavar="HOSTPATH[:GUESTPATH]",
                        help="copy a file or directory to /root or GUESTPATH")
    parser.add_argument("--module", metavar="PATH",
                        help="load this instead of build/tandem-KERNEL.ko")
    parser.add_argument("--no-module", action="store_true")
    parser.add_argument("--module-args", metavar="ARGS")
    parser.add_argument("--kmod", action="append", default=[], metavar="NAME",
                        help="bring this stock module, for modprobe NAME")
    parser.add_argument("--package", action="append", default=[],
                        metavar="NAME",
                        help="bring this Debian package and its dependencies")
    parser.add_argument("--append", action="append", default=[],
                        metavar="ARGS", help="more host kernel options")
    parser.add_argument("--kaslr", action="store_true",
                        help="put the host's kernel at random addresses")
    parser.add_argument("--console", action="store_true",
                        help="show the host's console on stderr as it comes")


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="lab", description="Emulated host machines to run Tandem in.")
    commands = parser.add_subparsers(dest="action", required=True)

    run = commands.add_parser("run", help="boot a host and run a command in it")
    _machine_options(run)
    _host_options(run)
    run.add_argument("command", nargs="+", metavar="COMMAND")

    shell = commands.add_parser(
        "shell", help="boot a host and give its console to this terminal")
    _machine_options(shell)
    _host_options(shell)

    fetch = commands.add_parser(
        "fetch", help="fetch and build everything ahead of time")
    fetch.add_argument("--refresh", action="store_true",
                       help="take the newest versions Debian has")

    bare = commands.add_parser(
        "baremetal", help="run a guest on the bare emulated machine",
        description="COM1 is stdout. A guest ends by printing a line \"EXIT n\" "
        "there, writing n to port 0xf4 and \"Shutdown\" to port 0x8900: the "
        "exit status is (n << 1) | 1. Power-off gives 0, a reset 125.")
    _machine_options(bare)
    what = bare.add_mutually_exclusive_group(required=True)
    what.add_argument("--kernel", metavar="BZIMAGE")
    what.add_argument("--elf", metavar="FILE", help="multiboot-1 ELF file")
    bare.add_argument("--initrd", metavar="FILE")
    bare.add_argument("--append", action="append", default=[], metavar="ARGS")
    bare.add_argument("--kaslr", action="store_true",
                      help="put the kernel at a random address")
    bare.add_argument("--ticks", action="store_true",
                      help="say on stderr how many instructions the guest "
                      "took from its entry on (\"lab: ticks N\"); implies "
                      "--count")

    path = commands.add_parser("path", help="print the path of an artefact",
                               description="NAME is one of: "
                               + ", ".join(artefacts.NAMES))
    path.add_argument("name", choices=tuple(artefacts.NAMES), metavar="NAME",
                      nargs="+")
    return parser.parse_args(arguments)


def _fetch(options):
    """Make every artefact there is; what is there already costs nothing."""
    if options.refresh:
        apt.Apt().refresh()
    steps = list(artefacts.NAMES.items()) + list(trees.TREES.items()) + [
        (f"headers-{series}", lambda series=series: kernel.headers(series))
        for series in kernel.SUITES]
    for number, (name, make) in enumerate(steps, 1):
        cache.say(f"[{number}/{len(steps)}] {name}")
        make()
    return 0


def _path(options):
    for name in options.name:
        print(artefacts.NAMES[name]())
    return 0


def main():
    options = parse(sys.argv[1:])
    actions = {"run": session.run, "shell": shell.run, "fetch": _fetch,
               "baremetal": baremetal.run,
               "path": _path}
    try:
        return actions[options.action](options)
    except cache.Failure as failure:
        print(f"lab: {failure}", file=sys.stderr)
        return 125
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141
