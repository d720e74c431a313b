# SPDX-License-Identifier: GPL-2.0-only
"""GRUB for PCs, as the first sectors of a disk that holds a tar archive.

The disk is: boot sector, GRUB with all modules it needs built in, and from
ARCHIVE_SECTOR on a partition with a tar archive instead of a file system, which
GRUB reads as one.
"""
import os
import struct
import subprocess

from . import cache, unpack
from .apt import Apt

SECTOR = 512
ARCHIVE_SECTOR = 2048
MODULES = ("biosdisk", "part_msdos", "tar", "linux", "normal", "serial",
           "terminal", "boot", "test", "echo", "configfile")
# Read from the first partition of the disk GRUB was started from.
_EARLY = "set root=(hd0,msdos1)\nset prefix=(hd0,msdos1)/\n" \
    "configfile (hd0,msdos1)/grub.cfg\n"


def head():
    """Path of the disk's first ARCHIVE_SECTOR sectors, but for the partition table."""
    apt = Apt()
    version = apt.show("grub-pc-bin")["Version"].replace(":", "%3a")

    def make(new):
        tree = new.parent / "tree"
        names = apt.closure(["grub-common", "grub-pc-bin"])
        for deb in apt.download_all(names):
            unpack.deb(deb, tree)
        early = new.parent / "early.cfg"
        early.write_text(_EARLY)
        modules = tree / "usr/lib/grub/i386-pc"
        libraries = f"{tree}/lib/x86_64-linux-gnu:{tree}/usr/lib/x86_64-linux-gnu"
        core = new.parent / "core.img"
        subprocess.run([tree / "usr/bin/grub-mkimage", "-O", "i386-pc", "-d", modules,
                        "-c", early, "-p", "/", "-o", core, *MODULES], check=True,
                       env=dict(os.environ, LD_LIBRARY_PATH=libraries))
        image = (modules / "boot.img").read_bytes() + core.read_bytes()
        if len(image) > ARCHIVE_SECTOR * SECTOR:
            raise cache.Failure("GRUB does not fit before the partition")
        new.write_bytes(image.ljust(ARCHIVE_SECTOR * SECTOR, b"\0"))

    return cache.made(f"grub-{version}.img", make, "making GRUB's image")


def disk(path, archive):
    """Write a disk that boots with GRUB and has the tar file ARCHIVE."""
    with open(archive, "rb") as tar:
        data = tar.read()
    sectors = -(-len(data) // SECTOR)
    image = bytearray(head().read_bytes())
    # One active partition; addresses by cylinder and head are of no use any more.
    image[446:462] = struct.pack("<B3sB3sII", 0x80, b"\xfe\xff\xff", 0x83,
                                 b"\xfe\xff\xff", ARCHIVE_SECTOR, sectors)
    image[462:512] = bytes(48) + b"\x55\xaa"
    with open(path, "wb") as out:
        out.write(image)
        out.write(data.ljust(sectors * SECTOR, b"\0"))
