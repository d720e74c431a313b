# SPDX-License-Identifier: GPL-2.0-only
"""Bochs 3.0, built from Debian's source package into the cache.

The package of the release is 2.7 with its debugger built in: a third of the
speed. The build takes one to three minutes and is done once; another one, with
our hooks (emulator/hooks.cc), when somebody measures or profiles.
"""
import hashlib
import os
import re
from pathlib import Path

from deplib import cache, unpack
from deplib.apt import Apt

_EMULATOR = Path(__file__).resolve().parent.parent / "emulator"
_HOOKS = (_EMULATOR / "hooks.h", _EMULATOR / "hooks.cc")

CONFIGURE = (
    "--with-nogui", "--disable-docbook", "--enable-cpu-level=6",
    "--enable-x86-64", "--enable-vmx=2", "--enable-smp", "--enable-pci",
    "--enable-all-optimizations", "--enable-avx", "--enable-evex",
    "--enable-fpu", "--enable-memtype", "--enable-protection-keys",
    "--enable-cet", "--disable-debugger", "--disable-plugins",
    # The ips display deadlocks with the nogui library.
    "--disable-show-ips")

# What of the emulator no host could live with: (file, text, text instead).
_CORRECTIONS = (
    # VMLAUNCH and VMRESUME work out which events the guest's RFLAGS.IF masks
    # before they set the flag that says "in a guest". With IF = 0 external
    # interrupts are then masked although they should cause exits: a guest that
    # spins with interrupts off hangs its host (2.7 has the same error).
    ("cpu/vmx.cc",
     "  BX_CPU_THIS_PTR in_vmx_guest = true;\n",
     "  BX_CPU_THIS_PTR in_vmx_guest = true;\n"
     "  handleInterruptMaskChange();\n"),
    # An exception ends in a longjmp. With one processor the place it goes to
    # notes that RIP is now the handler's; with several nobody does, and a VM
    # exit in front of the handler's first instruction puts RIP back to the
    # instruction that faulted: a guest then runs user code in ring 0.
    ("cpu/cpu.cc",
     "void BX_CPU_C::cpu_run_trace(void)\n{\n",
     "void BX_CPU_C::cpu_run_trace(void)\n{\n"
     "  BX_CPU_THIS_PTR prev_rip = RIP;\n"
     "  BX_CPU_THIS_PTR speculative_rsp = false;\n"),
)


def _correct(tree):
    for name, wrong, right in _CORRECTIONS:
        path = tree / name
        source = path.read_text()
        if source.count(wrong) != 1:
            raise cache.Failure(f"Bochs' source is not as expected: {name}")
        path.write_text(source.replace(wrong, right))


def _instrument(tree):
    """Put our hooks in place of Bochs' instrumentation stubs."""
    stubs = tree / "instrument/stubs"
    header, source = (path.read_text() for path in _HOOKS)
    macros = dict(re.findall(r"^#define (BX_INSTR_\w+)\(([^)]*)\)",
                             (stubs / "instrument.h").read_text(), re.M))
    ours = set(re.findall(r"^#define (BX_INSTR_\w+)\(", header, re.M))
    if not ours < set(macros):
        raise cache.Failure("Bochs' source is not as expected: no hook for "
                            + ", ".join(ours - set(macros)))
    empty = [f"#ifndef {name}\n#define {name}({arguments})\n#endif\n"
             for name, arguments in macros.items()]
    (stubs / "instrument.h").write_text(header + "".join(empty))
    (stubs / "instrument.cc").write_text(source)


def _make(hooks):
    def build(new):
        # Only the upstream tarball: the mirror may lack the .dsc, and Debian's
        # patches concern documentation and the BIOS, which comes as a package.
        source = Apt().source("bochs", "trixie", r"\.orig\.tar\.xz$")
        tree = new.parent / "tree"
        tarball, = source.iterdir()
        unpack.tarball(tarball, tree)
        _correct(tree)
        options = CONFIGURE
        if hooks:
            _instrument(tree)
            options += ("--enable-instrumentation",)
        env = dict(os.environ, CFLAGS="-O2", CXXFLAGS="-O2")
        unpack.run("./configure", *options, cwd=tree, env=env)
        unpack.run("make", f"-j{os.cpu_count()}", "bochs", cwd=tree, env=env)
        unpack.run("strip", "-o", str(new), str(tree / "bochs"))
    return build


def binary(hooks=False):
    """Path of the Bochs 3.0 program, with HOOKS the one that counts."""
    if not hooks:
        return cache.made("emulators/bochs-3.0-3", _make(False),
                          "building Bochs 3.0 (one to three minutes, once)")
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in _HOOKS))
    return cache.made(f"emulators/bochs-3.0-3-hooks-{digest.hexdigest()[:12]}",
                      _make(True), "building Bochs 3.0 with counting hooks "
                      "(one to three minutes, once)")
