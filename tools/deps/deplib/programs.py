# SPDX-License-Identifier: GPL-2.0-only
"""Programs out of Debian packages with the libraries they are linked with.

For initramfs archives that are to stay small: a package's whole closure would
be many times as much.
"""
import os
import re

from . import cache, unpack
from .apt import Apt

GUEST_LIBRARIES = "/usr/lib/x86_64-linux-gnu/"
_LIBRARIES = ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu",
              "usr/lib/x86_64-linux-gnu/pulseaudio")
_LOADER = "ld-linux-x86-64.so.2"


def tree(package):
    """Directory with PACKAGE and all it depends on, unpacked; cached."""
    apt = Apt()
    wanted = apt.closure([package])
    version = apt.show(package)["Version"].replace(":", "%3a")

    def make(new):
        for deb in apt.download_all(wanted):
            unpack.deb(deb, new)

    return str(cache.made(f"trees/{package}-{version}", make,
                          f"unpacking {package}"))


def _needed(path):
    """Names of the libraries an ELF file asks for."""
    text = unpack.run("readelf", "-d", path)
    return re.findall(r"\(NEEDED\).*\[(.*)\]", text)


def _find(root, name):
    for directory in _LIBRARIES:
        path = os.path.join(root, directory, name)
        if os.path.exists(path):
            return path
    raise cache.Failure(f"{name} is in no package that {root} was made of")


def files(package, paths):
    """[(host path, guest path)] of PATHS in PACKAGE (or what it depends on),
    all of them dynamically linked, with loader and libraries."""
    root = tree(package)
    found = {"/" + path: os.path.join(root, path) for path in paths}
    found["/lib64/" + _LOADER] = _find(root, _LOADER)
    todo = [name for path in paths
            for name in _needed(os.path.join(root, path))]
    while todo:
        name = todo.pop()
        guest = GUEST_LIBRARIES + name
        if guest not in found and name != _LOADER:
            found[guest] = _find(root, name)
            todo += _needed(found[guest])
    return [(host, guest) for guest, host in sorted(found.items())]
