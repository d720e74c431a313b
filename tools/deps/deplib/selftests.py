# SPDX-License-Identifier: GPL-2.0-only
"""The kernel's own selftests, out of Debian's package of the kernel source.

The package is a tarball in a tarball of 140 MB; it is streamed through once and
only what the suites need is kept.
"""
import os
import subprocess
from pathlib import Path

from . import cache, unpack
from .apt import Apt

REPOSITORY = Path(__file__).resolve().parents[3]
PACKAGE = "linux-source-6.1"

_SELFTESTS = "tools/testing/selftests"
# What the harness of a suite needs beside it; the links of .gitignore.
_HARNESS = ("lib.mk", "kselftest.h", "kselftest_harness.h",
            "kselftest_module.h", "Makefile", "run_kselftest.sh", "kselftest")
_MEMBERS = (
    *(f"{_SELFTESTS}/{name}" for name in _HARNESS),
    f"{_SELFTESTS}/kvm", f"{_SELFTESTS}/rseq", f"{_SELFTESTS}/x86",
    "tools/include", "tools/arch/x86/include", "tools/build", "tools/scripts",
    "tools/lib/*.c", "scripts/subarch.include")

# 6.1's sources against bookworm's headers: __DECLARE_FLEX_ARRAY is not there
# without linux/stddef.h, and some tests say TEST_ASSERT_EQ before it existed.
# Guest code runs on a stack that SSE's moves may find misaligned, hence general
# registers only, but for the one test that needs floating point for its report.
_KVM_CFLAGS = "-include linux/stddef.h -DTEST_ASSERT_EQ=ASSERT_EQ"
_KVM_PASSES = ("-mgeneral-regs-only", "-fno-tree-vectorize")


def source():
    """The part of the kernel source that the selftests need."""
    version = Apt().show(PACKAGE)["Version"]

    def make(new):
        new.mkdir()
        deb = Apt().download(PACKAGE)
        members = " ".join(f"'{PACKAGE}/{name}'" for name in _MEMBERS)
        unpack.run(
            "sh", "-c",
            f"dpkg-deb --fsys-tarfile '{deb}' |"
            f" tar -xO ./usr/src/{PACKAGE}.tar.xz | xz -dc |"
            f" tar -x -C '{new}' --strip-components=1 --wildcards {members}")

    return cache.made(f"trees/linux-selftests-{version}", make,
                      "unpacking the kernel's selftests")


def _link(link, target):
    if os.path.islink(link):
        if os.readlink(link) == str(target):
            return
        link.unlink()
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(target)


def kselftest():
    """Harness of the kernel's selftests, linked beside ours in the repository."""
    tree = source()
    for name in _HARNESS:
        _link(REPOSITORY / _SELFTESTS / name, tree / _SELFTESTS / name)
    _link(REPOSITORY / "scripts/subarch.include",
          tree / "scripts/subarch.include")
    return tree / _SELFTESTS


def kvm_selftests():
    """KVM's own selftests of 6.1, unmodified, statically linked binaries."""
    version = Apt().show(PACKAGE)["Version"]

    def make(new):
        tree = source()
        work = new.parent / "tree"
        unpack.run("cp", "-r", str(tree), str(work))
        new.mkdir()
        # The second pass builds what the first, with -k, could not.
        with open(new.parent / "log", "wb") as log:
            for flags in _KVM_PASSES:
                status = subprocess.run(
                    ["make", "-k", f"-j{os.cpu_count()}", "ARCH=x86_64",
                     f"OUTPUT={new}", f"EXTRA_CFLAGS={_KVM_CFLAGS} {flags}",
                     "USERLDFLAGS=-static"],
                    cwd=work / _SELFTESTS / "kvm", stdin=subprocess.DEVNULL,
                    stdout=log, stderr=subprocess.STDOUT,
                    check=False).returncode
        for path in sorted(new.rglob("*")):
            if path.is_file() and not os.access(path, os.X_OK):
                path.unlink()
            elif path.is_file():
                unpack.run("strip", str(path))
        if status:
            raise cache.Failure("KVM selftests did not build:\n"
                                + (new.parent / "log").read_text()[-3000:])

    return cache.made(f"trees/kvm-selftests-{version}-all", make,
                      "building KVM's selftests (a minute or two, once)")
