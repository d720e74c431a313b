# SPDX-License-Identifier: GPL-2.0-only
"""Writing initramfs archives (cpio, "newc") with files that need not exist.

The kernel accepts archives one after the other, so a run appends what is its
own to a cached base. Owners are root and times are zero: equal input gives
equal bytes, which counting mode relies on.
"""
import os
import stat


class Archive:
    """An archive in the making; data() gives its bytes."""

    def __init__(self):
        self._parts = []
        self._made = set()
        self._inode = 1

    def _entry(self, name, mode, data=b"", links=1, rdev=(0, 0)):
        encoded = name.encode() + b"\0"
        fields = (self._inode, mode, 0, 0, links, 0, len(data), 0, 0,
                  rdev[0], rdev[1], len(encoded), 0)
        self._inode += 1
        header = b"070701" + b"".join(b"%08x" % field for field in fields)
        for piece in (header + encoded, data):
            self._parts.append(piece)
            self._parts.append(bytes(-len(piece) % 4))

    def directory(self, path, mode=0o755):
        """PATH (absolute in the target) and its parents, once each."""
        path = path.strip("/")
        if not path or path in self._made:
            return
        self.directory(os.path.dirname(path))
        self._made.add(path)
        self._entry(path, stat.S_IFDIR | mode, links=2)

    def file(self, path, data, mode=0o644):
        path = path.strip("/")
        self.directory(os.path.dirname(path))
        self._entry(path, stat.S_IFREG | mode, data)

    def symlink(self, path, target):
        path = path.strip("/")
        self.directory(os.path.dirname(path))
        self._entry(path, stat.S_IFLNK | 0o777, target.encode())

    def device(self, path, kind, major, minor, mode=0o600):
        path = path.strip("/")
        self.directory(os.path.dirname(path))
        self._entry(path, kind | mode, rdev=(major, minor))

    def copy(self, source, path):
        """SOURCE of this machine at PATH, a directory with all below it."""
        info = os.lstat(source)
        if stat.S_ISLNK(info.st_mode):
            self.symlink(path, os.readlink(source))
        elif stat.S_ISDIR(info.st_mode):
            self.directory(path, stat.S_IMODE(info.st_mode))
            for name in sorted(os.listdir(source)):
                self.copy(os.path.join(source, name), f"{path}/{name}")
        elif stat.S_ISREG(info.st_mode):
            with open(source, "rb") as handle:
                self.file(path, handle.read(), stat.S_IMODE(info.st_mode))

    def data(self):
        """The finished archive; nothing may be added after this."""
        self._entry("TRAILER!!!", 0)
        data = b"".join(self._parts)
        return data + bytes(-len(data) % 512)
