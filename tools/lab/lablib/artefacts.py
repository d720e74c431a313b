# SPDX-License-Identifier: GPL-2.0-only
"""What is the same for every run: made once, and cached."""
import hashlib
import mmap
import stat
import subprocess
from pathlib import Path

from deplib import cache, kernel, unpack
from deplib.apt import Apt

from . import bochsbuild
from .cpio import Archive
from .vmlinux import BzImage, Image, flatten

LAB = Path(__file__).resolve().parent.parent
REPOSITORY = LAB.parent.parent


def busybox():
    """Debian's statically linked busybox."""
    def make(new):
        unpack.deb(Apt().download("busybox-static"), new.parent / "deb")
        (new.parent / "deb/bin/busybox").rename(new)
    version = Apt().show("busybox-static")["Version"].replace(":", "%3a")
    return cache.made(f"busybox-{version}", make, "unpacking busybox")


def bios():
    """Bochs' BIOS image."""
    def make(new):
        unpack.deb(Apt().download("bochsbios"), new)
    return cache.made("emulators/bochsbios", make) \
        / "usr/share/bochs/BIOS-bochs-latest"


def bochs3(hooks=False):
    """Bochs 3.0, with HOOKS the one that counts events."""
    return bochsbuild.binary(hooks)


def elf_kernel(bzimage):
    """The uncompressed ELF of BZIMAGE (QEMU starts it by its PVH entry)."""
    digest = hashlib.sha256(Path(bzimage).read_bytes()).hexdigest()[:16]
    return cache.made(f"elf/{digest}",
                      lambda new: new.write_bytes(BzImage(bzimage).elf()),
                      f"uncompressing {Path(bzimage).name}")


def flat_kernel(bzimage):
    """vmlinux.Image of BZIMAGE; its bytes are mapped from the cache."""
    elf = elf_kernel(bzimage)

    def make(new):
        image = flatten(elf.read_bytes())
        new.mkdir()
        (new / "data").write_bytes(image.data)
        (new / "place").write_text(f"{image.load} {image.entry} {image.end}")

    flat = cache.made(f"flat/{elf.name}", make)
    with open(flat / "data", "rb") as handle:
        data = mmap.mmap(handle.fileno(), 0, prot=mmap.PROT_READ)
    return Image(data, *map(int, (flat / "place").read_text().split()))


def _source_digest(*paths):
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in paths)
                          ).hexdigest()[:16]


def labrun():
    """The program that runs the command inside, statically linked."""
    source = LAB / "guest/labrun.c"

    def make(new):
        unpack.run("gcc", "-std=gnu11", "-O2", "-Wall", "-Wextra", "-static",
                   "-s", "-o", str(new), str(source))
    return cache.made(f"guest/labrun-{_source_digest(source)}", make)


def no_srand():
    """A library to preload into Bochs: see emulator/nosrand.c."""
    source = LAB / "emulator/nosrand.c"

    def make(new):
        unpack.run("gcc", "-O2", "-Wall", "-shared", "-fPIC", "-o", str(new),
                   str(source))
    return cache.made(f"emulators/nosrand-{_source_digest(source)}.so", make)


def base_initramfs():
    """The archive that every emulated host starts with."""
    init, program, box = LAB / "guest/init", labrun(), busybox()

    def make(new):
        archive = Archive()
        for directory in ("dev", "lab", "proc", "root", "run", "sys", "tmp",
                          "usr/bin", "usr/sbin", "sbin", "etc"):
            archive.directory(directory)
        archive.device("dev/console", stat.S_IFCHR, 5, 1)
        archive.device("dev/null", stat.S_IFCHR, 1, 3, 0o666)
        archive.file("init", init.read_bytes(), 0o755)
        archive.file("lab/labrun", program.read_bytes(), 0o755)
        archive.file("bin/busybox", box.read_bytes(), 0o755)
        applets = subprocess.run([box, "--list-full"], text=True, check=True,
                                 stdout=subprocess.PIPE).stdout.split()
        for applet in applets:
            # kselftest's runner takes a timeout at this very path for GNU's.
            if applet == "usr/bin/timeout":
                applet = "bin/timeout"
            if applet != "bin/busybox":
                archive.symlink(applet, "/bin/busybox")
        archive.file("etc/passwd", b"root::0:0:root:/root:/bin/sh\n")
        archive.file("etc/group", b"root:x:0:\n")
        new.write_bytes(archive.data())

    sources = (init, program, box, Path(__file__),
               Path(__file__).with_name("cpio.py"))
    return cache.made(f"guest/base-{_source_digest(*sources)}.cpio", make)


# Names for `lab path`: what other scripts may ask for.
NAMES = {
    "guest-kernel": lambda: kernel.vmlinuz("6.1", "cloud-amd64"),
    "vmlinuz-6.1": lambda: kernel.vmlinuz("6.1"),
    "vmlinuz-6.12": lambda: kernel.vmlinuz("6.12"),
    "vmlinux-6.1": lambda: elf_kernel(kernel.vmlinuz("6.1")),
    "vmlinux-6.12": lambda: elf_kernel(kernel.vmlinuz("6.12")),
    "modules-6.1": lambda: kernel.modules("6.1"),
    "modules-6.12": lambda: kernel.modules("6.12"),
    "busybox": busybox,
    "bochs": bochs3,
    "bochs-hooks": lambda: bochs3(True),
    "bochs-bios": bios,
    "base-initramfs": base_initramfs,
    "no-srand": no_srand,
}
