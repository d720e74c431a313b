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

KERNEL_OPTIONS = ("reboot=t",)


def command(setup):
    """Prepare SETUP's directory; (argv, environment) that start the machine."""
    argv = ["qemu-system-x86_64", "-machine", "pc,accel=tcg", "-nodefaults",
            "-display", "none", "-vga", "none", "-no-reboot",
            "-cpu", setup.cpu, "-smp", str(setup.smp),
            "-m", str(setup.memory), "-kernel", str(setup.kernel),
            "-append", setup.command_line,
            "-chardev", "stdio,id=out,signal=off",
            "-device", "isa-debugcon,iobase=0xe9,chardev=out",
            "-device", "isa-debug-exit,iobase=0x501"]
    if setup.initrd:
        initrd = setup.directory / "initrd"
        with open(initrd, "wb") as handle:
            for part in setup.initrd:
                handle.write(part)
        argv += ["-initrd", str(initrd)]
    if setup.terminal:
        argv += ["-serial", str(setup.terminal)]
    else:
        argv += ["-serial", f"file:{setup.directory}/console.txt"]
    if setup.counting:
        argv += COUNTING
    if setup.gdb_port:
        argv += ["-gdb", f"tcp:127.0.0.1:{setup.gdb_port}"]
    return argv, {}
