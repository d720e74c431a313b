# SPDX-License-Identifier: GPL-2.0-only
"""QEMU without acceleration as the machine: fast, no VMX, or AMD's SVM."""

# Per machine: CPU model. `bt` is an Intel without VMX, so that it has what
# Intel has (KPTI, no compat SYSCALL) plus UMIP, which BT uses where present.
DEFAULT_CPU = {
    "bt": "Skylake-Client,+umip,-vmx",
    "svm": "EPYC,+svm,+npt",
}
COUNTING = ("-icount", "shift=0,sleep=off",
            "-rtc", "base=2024-01-01,clock=vm", "-seed", "7")

# One thread for all CPUs. With a thread each, a CPU that translates code while
# another one patches it keeps the old code for good: Linux's static keys then
# hang a host with two CPUs in INT3, whoever toggles them (QEMU 7.2).
ACCEL = "tcg,thread=single"

# Port 0xf4 belongs to bare-metal guests; a host's labrun uses another.
EXIT_PORT_HOST = 0x501
EXIT_PORT_BARE = 0xf4


def kernel_options(_setup):
    """What the host's kernel must be told of this machine."""
    return []


def _console(setup):
    """COM1, and the way a host's output takes."""
    if setup.bare:
        return ["-serial", "chardev:out"]
    argv = ["-device", "isa-debugcon,iobase=0xe9,chardev=out", "-serial"]
    return argv + ([setup.terminal] if setup.terminal else
                   [f"file:{setup.directory}/console.txt"])


def command(setup):
    """Prepare SETUP's directory; (argv, environment) that start the machine."""
    argv = ["qemu-system-x86_64", "-machine", "pc", "-accel", ACCEL,
            "-nodefaults",
            "-display", "none", "-vga", "none", "-no-reboot",
            "-cpu", setup.cpu, "-smp", str(setup.smp),
            "-m", str(setup.memory), "-kernel", str(setup.kernel),
            "-append", setup.command_line,
            "-chardev", "stdio,id=out,signal=off"]
    argv += _console(setup)
    if setup.exit_port:
        port = EXIT_PORT_BARE if setup.bare else EXIT_PORT_HOST
        argv += ["-device", f"isa-debug-exit,iobase={port:#x}"]
    if setup.initrd:
        initrd = setup.directory / "initrd"
        with open(initrd, "wb") as handle:
            for part in setup.initrd:
                handle.write(part)
        argv += ["-initrd", str(initrd)]
    if setup.counting:
        argv += COUNTING
    if setup.qmp_fd >= 0:
        argv += ["-S", "-no-shutdown",
                 "-chardev", f"socket,id=qmp,fd={setup.qmp_fd}",
                 "-mon", "chardev=qmp,mode=control"]
    if setup.gdb_fd >= 0:
        argv += ["-chardev", f"socket,id=gdb,fd={setup.gdb_fd}",
                 "-gdb", "chardev:gdb"]
    if setup.gdb_port:
        argv += ["-gdb", f"tcp:127.0.0.1:{setup.gdb_port}"]
    return argv, {}
