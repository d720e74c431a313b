# SPDX-License-Identifier: GPL-2.0-only
"""QEMU of Debian's backports, to run as a program inside an emulated host.

Backports' QEMU takes another device than /dev/kvm (-accel kvm,device=PATH),
which stable's does not. Only the emulator's binary, the libraries it is linked
with, and the firmware of PCs are kept: the packages are several hundred MB.
"""
import os
import re
import subprocess
from pathlib import Path

from . import cache, unpack
from .apt import Apt

SUITE = "bookworm-backports"
PACKAGES = ("qemu-system-x86", "qemu-system-data", "seabios")
FIRMWARE = ("bios-256k.bin", "kvmvapic.bin", "linuxboot_dma.bin",
            "linuxboot.bin", "pvh.bin", "vgabios-stdvga.bin")
LOADER = "ld-linux-x86-64.so.2"


def _needed(path):
    text = unpack.run("readelf", "-d", str(path))
    return re.findall(r"\(NEEDED\).*\[(.+)\]", text)


def _libraries(binary, trees, into):
    """Copy what BINARY is linked with, found below TREES, to INTO."""
    found = {}
    for tree in trees:
        for path in sorted(tree.rglob("*.so*")):
            if path.exists():
                found.setdefault(path.name, path)
    into.mkdir()
    queue = [LOADER, *_needed(binary)]
    while queue:
        name = queue.pop()
        if (into / name).exists():
            continue
        if name not in found:
            raise cache.Failure(f"QEMU needs {name}, which none of its "
                                "packages has")
        unpack.run("cp", "-L", str(found[name]), str(into / name))
        queue += _needed(into / name)


def qemu():
    """QEMU 10 for x86-64: bin/, lib/ and firmware/."""
    apt = Apt()
    fields = apt.show_all(list(PACKAGES), SUITE)
    version = fields[PACKAGES[0]]["Version"].replace(":", "%3a")

    def make(new):
        libraries = [re.split(r"[ (:|]", entry.strip())[0] for entry in
                     fields[PACKAGES[0]]["Depends"].split(",")]
        libraries = [name for name in libraries if name.startswith("lib")]
        own, others = new.parent / "own", new.parent / "libraries"
        for deb in apt.download_all(list(PACKAGES), SUITE):
            unpack.deb(deb, own)
        for deb in apt.download_all(apt.closure(libraries)):
            unpack.deb(deb, others)
        (new / "bin").mkdir(parents=True)
        binary = new / "bin/qemu-system-x86_64"
        os.rename(own / "usr/bin/qemu-system-x86_64", binary)
        _libraries(binary, (own, others), new / "lib")
        (new / "firmware").mkdir()
        for name in FIRMWARE:
            path, = [p for p in own.rglob(name) if p.exists()][:1]
            unpack.run("cp", "-L", str(path), str(new / "firmware" / name))
        for path in (binary, *(new / "lib").iterdir()):
            subprocess.run(["strip", str(path)], check=False,
                           stderr=subprocess.DEVNULL)

    return Path(cache.made(f"trees/qemu-{version}", make,
                           "unpacking QEMU of Debian's backports"))
