# SPDX-License-Identifier: GPL-2.0-only
"""Stock modules of the host kernel, with what they depend on, for modprobe.

BTF and debug information are stripped: they double what loading a module costs
in the emulator. depmod is not needed, the modules say themselves what they
depend on.
"""
import re
import subprocess

from deplib import cache, kernel, unpack
from deplib.cache import Failure

from .cpio import Archive

_SUFFIX = re.compile(r"\.ko(\.xz|\.zst|\.gz)?$")
_UNPACK = {".xz": ("xz", "-dc"), ".zst": ("zstd", "-dcq"),
           ".gz": ("gzip", "-dc")}


def _canonical(name):
    return name.replace("-", "_")


class Modules:
    """The modules of one kernel series."""

    def __init__(self, series):
        self.release = kernel.release(series)
        directory = kernel.modules(series)
        self._paths = {}
        for path in sorted((directory / "kernel").rglob("*.ko*")):
            if _SUFFIX.search(path.name):
                self._paths[_canonical(_SUFFIX.sub("", path.name))] = path
        self._builtin = {
            _canonical(_SUFFIX.sub("", line.rsplit("/", 1)[-1]))
            for line in (directory / "modules.builtin").read_text().split()}

    def _stripped(self, name):
        """Path of module NAME without BTF and debug information."""
        source = self._paths[name]

        def make(new):
            raw = new.parent / "raw.ko"
            command = _UNPACK.get(source.suffix, ("cat",))
            with open(source, "rb") as packed, open(raw, "wb") as out:
                subprocess.run(command, stdin=packed, stdout=out, check=True)
            strip(raw, new)
        return cache.made(f"kmods/{self.release}/{name}.ko", make)

    def _depends(self, name):
        match = re.search(rb"\0depends=([^\0]*)\0",
                          self._stripped(name).read_bytes())
        return [_canonical(other) for other in
                match.group(1).decode().split(",") if other] if match else []

    def closure(self, names):
        """{name: names it depends on, all levels}, for NAMES and those."""
        found = {}

        def visit(name):
            if name in found or name in self._builtin:
                return
            if name not in self._paths:
                raise Failure(f"kernel {self.release} has no module {name}")
            direct = self._depends(name)
            for other in direct:
                visit(other)
            found[name] = direct + [deeper for other in direct
                                    for deeper in found.get(other, [])]

        for name in names:
            visit(_canonical(name))
        return found

    def archive(self, names):
        """Archive bytes that make `modprobe NAME` work for NAMES."""
        archive = Archive()
        lines = []
        root = f"/lib/modules/{self.release}"
        closure = self.closure(names)
        order = list(closure)
        for name, needs in closure.items():
            archive.file(f"{root}/{name}.ko",
                         self._stripped(name).read_bytes())
            # modprobe loads from the right to the left.
            needs = sorted(set(needs), key=order.index, reverse=True)
            lines.append(f"{name}.ko: "
                         + " ".join(f"{other}.ko" for other in needs))
        archive.file(f"{root}/modules.dep", "\n".join(lines + [""]).encode())
        return archive.data()


def strip(source, target):
    """Write module SOURCE to TARGET without BTF and debug information."""
    unpack.run("objcopy", "--strip-debug", "-R", ".BTF", "-R", ".BTF_ids",
               "-R", ".BTF.base", str(source), str(target))
