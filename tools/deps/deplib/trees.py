# SPDX-License-Identifier: GPL-2.0-only
"""Source trees by name: what `tools/deps/fetch NAME` gives."""
from . import cache, qemu, selftests, unpack
from .apt import Apt


def zydis():
    """Zydis' sources (zydis/{include,src}) and zycore's headers (zycore/include).

    The mirror has no source of zycore, but its headers are in the development
    package, and they are all that Zydis needs.
    """
    apt = Apt()

    def make(new):
        source = apt.source("zydis", "bookworm", r"\.orig\.tar\.gz$")
        tar, = source.iterdir()
        unpack.tarball(tar, new / "zydis", "*/include/*", "*/src/*",
                       "*/LICENSE")
        unpack.deb(apt.download("libzycore-dev"), new / "deb")
        (new / "zycore/include").mkdir(parents=True)
        (new / "deb/usr/include/Zycore").rename(new / "zycore/include/Zycore")
        unpack.run("rm", "-r", str(new / "deb"))

    return cache.made("trees/zydis-4.0.0", make, "unpacking Zydis")


TREES = {
    "zydis": zydis,
    "kselftest": selftests.kselftest,
    "kvm-selftests": selftests.kvm_selftests,
    "qemu": qemu.qemu,
    "linux-selftests": selftests.source,
}
