# SPDX-License-Identifier: GPL-2.0-only
"""The machines by name, and what a machine is told to start."""
from dataclasses import dataclass, field
from pathlib import Path

from deplib.cache import Failure

from . import artefacts, bochs, kaslr, qemu
from .vmlinux import HEADER_START, BzImage

EMULATORS = ("bochs3", "bochs2.7", "qemu")
DEFAULT_EMULATOR = {"vmx": "bochs3", "bt": "qemu", "svm": "qemu"}
DEFAULT_MEMORY = {"vmx": 512, "bt": 512, "svm": 1024}
DEFAULT_TIMEOUT = {"vmx": 120, "bt": 60, "svm": 90}

# Offset of the field in the setup header, which begins at HEADER_START.
LOADFLAGS = 0x211 - HEADER_START


@dataclass
class Setup:
    """One machine to start; filled by the caller, read by bochs and qemu."""
    machine: str
    emulator: str
    directory: Path
    cpu: str
    smp: int
    memory: int                 # MiB
    counting: bool
    command_line: str = ""
    initrd: list = field(default_factory=list)
    kernel: Path = None         # what QEMU loads: ELF or bzImage
    image: object = None        # what Bochs is given: vmlinux.Image
    header: bytes = b""         # setup header, for Bochs
    terminal: str = ""          # device of the console, else a file
    gdb_port: int = 0
    bare: bool = False          # COM1 is our stdout; a guest, not a host
    exit_port: bool = True      # QEMU: whether isa-debug-exit is there
    hooks: bool = False         # Bochs with the hooks of emulator/hooks.cc
    profile: bool = False       # instructions by address, too
    qmp_fd: int = -1            # QEMU: inherited, start paused
    gdb_fd: int = -1            # QEMU: inherited

    @property
    def backend(self):
        return qemu if self.emulator == "qemu" else bochs

    def load_linux(self, bzimage, randomise):
        """Take BZIMAGE as kernel, moved to a random address if RANDOMISE."""
        if self.emulator == "qemu":
            # Only the kernel's own decompressor moves it there: some seconds.
            self.kernel = bzimage if randomise \
                else artefacts.elf_kernel(bzimage)
            return
        header = bytearray(BzImage(bzimage).header())
        self.image = artefacts.flat_kernel(bzimage)
        if randomise:
            self.image = kaslr.move(
                self.image, artefacts.elf_kernel(bzimage).read_bytes(),
                self.counting)
            header[LOADFLAGS] |= kaslr.KASLR_FLAG
        self.header = bytes(header)

    def command(self):
        return self.backend.command(self)


def default_cpu(machine, emulator):
    if emulator == "qemu":
        return qemu.DEFAULT_CPU.get(machine, "max,-svm,-la57")
    return bochs.DEFAULT_CPU[machine]


def setup(options, directory):
    """Setup for parsed OPTIONS (see cli.py), artefacts for it in DIRECTORY."""
    emulator = options.emulator or DEFAULT_EMULATOR[options.machine]
    if options.machine == "vmx" and emulator == "qemu":
        raise Failure("QEMU's TCG has no VMX; use --machine bt or svm")
    if options.machine == "svm" and emulator != "qemu":
        raise Failure("Bochs' models here have no SVM; use --emulator qemu")
    measuring = bool(options.events or options.profile)
    if measuring and emulator != "bochs3":
        raise Failure("--events and --profile need Bochs 3.0: use --machine "
                      "vmx without --emulator")
    return Setup(
        hooks=measuring, profile=bool(options.profile),
        machine=options.machine, emulator=emulator, directory=directory,
        cpu=options.cpu or default_cpu(options.machine, emulator),
        smp=options.smp, counting=options.count,
        memory=options.mem or DEFAULT_MEMORY[options.machine])
