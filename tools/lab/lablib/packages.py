# SPDX-License-Identifier: GPL-2.0-only
"""Debian packages inside an emulated host: unpacked, not configured."""
import hashlib
import os

from deplib import cache, unpack
from deplib.apt import Apt

from .cpio import Archive

# What no program needs to run; it would only fill the initramfs.
_LEFT_OUT = ("usr/share/doc", "usr/share/man", "usr/share/info",
             "usr/share/locale", "usr/share/lintian", "usr/share/bug",
             "usr/share/doc-base")


def archive(names):
    """Archive bytes with packages NAMES and all they depend on; cached."""
    apt = Apt()
    wanted = apt.closure(sorted(set(names)))
    versions = [f"{name}={fields['Version']}"
                for name, fields in apt.show_all(wanted).items()]
    digest = hashlib.sha256(" ".join(versions).encode()).hexdigest()[:16]

    def make(new):
        tree = new.parent / "tree"
        for deb in apt.download_all(wanted):
            unpack.deb(deb, tree)
        for part in _LEFT_OUT:
            unpack.run("rm", "-rf", str(tree / part))
        packed = Archive()
        for entry in sorted(os.listdir(tree)):
            packed.copy(str(tree / entry), "/" + entry)
        new.write_bytes(packed.data())

    return cache.made(f"packages/{digest}.cpio", make,
                      "unpacking " + " ".join(names)).read_bytes()
