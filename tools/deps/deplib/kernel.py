# SPDX-License-Identifier: GPL-2.0-only
"""Debian's kernels by series: image packages and headers to build against.

The images are only unpacked, never installed. Headers are unpacked too, with
the absolute paths in them turned to where they are, so that an external module
builds with `make -C DIR M=...` and nothing is installed system-wide.
"""
import re

from . import cache, unpack
from .apt import Apt

# Series -> the suite that carries it.
SUITES = {"6.1": "bookworm", "6.12": "bookworm-backports"}


def _suite(series):
    if series not in SUITES:
        raise cache.Failure("no kernel series %s; there are: %s"
                            % (series, " ".join(SUITES)))
    return SUITES[series]


def _names(depends):
    """Names of a Depends field, first alternatives only."""
    return [re.split(r"[ (|]", part.strip())[0]
            for part in depends.split(",") if part.strip()]


def package(series, flavour, kind):
    """Name of the versioned KIND (image, headers) package of SERIES."""
    apt = Apt()
    names = _names(apt.show(f"linux-{kind}-{flavour}",
                            _suite(series))["Depends"])
    return next(name for name in names if name.startswith(f"linux-{kind}-"))


def release(series, flavour="amd64"):
    """What `uname -r` says on the kernel of SERIES."""
    return package(series, flavour, "image")[len("linux-image-"):]


def image(series, flavour="amd64"):
    """Directory with the unpacked image package: boot/, lib/modules/."""
    apt, name, suite = Apt(), package(series, flavour, "image"), _suite(series)
    return cache.made(f"kernels/{name}",
                      lambda new: unpack.deb(apt.download(name, suite), new),
                      f"unpacking {name}")


def vmlinuz(series, flavour="amd64"):
    """Path of the bzImage."""
    return image(series, flavour) / "boot" / (
        "vmlinuz-" + release(series, flavour))


def modules(series, flavour="amd64"):
    """Path of lib/modules/RELEASE of the image package."""
    return image(series, flavour) / "lib/modules" / release(series, flavour)


def _rewrite(path, old, new):
    text = path.read_text()
    if old not in text:
        raise cache.Failure(f"{path}: expected to find: {old}")
    path.write_text(text.replace(old, new))


def headers(series):
    """Directory for `make -C DIR M=...`."""
    apt, suite = Apt(), _suite(series)
    name = package(series, "amd64", "headers")

    def make(new):
        # What the headers refer to: the common part and the build programs.
        # Compilers come from tools/deps/install.
        wanted = [name] + [
            other for other in _names(apt.show(name, suite)["Depends"])
            if re.match(r"linux-(headers|kbuild|compiler)-", other)]
        for deb in apt.download_all(wanted, suite):
            unpack.deb(deb, new)
        top = new / "usr/src" / name
        _rewrite(top / "Makefile", "include /usr/src/",
                 f"include {cache.root()}/headers/{name}/usr/src/")
        # BTF of an external module is of no use in the lab (it is slow to
        # load) and would need pahole. Only make may see the option go: in
        # autoconf.h it decides the layout of struct module.
        _rewrite(top / "include/config/auto.conf",
                 "CONFIG_DEBUG_INFO_BTF_MODULES=y\n", "")

    return cache.made(f"headers/{name}", make,
                      f"unpacking {name}") / "usr/src" / name
