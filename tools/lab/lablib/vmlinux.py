# SPDX-License-Identifier: GPL-2.0-only
"""Taking a bzImage apart: its header, its packed kernel, the ELF in that.

Offsets are those of Documentation/x86/boot.rst ("real-mode kernel header").
"""
import struct
import subprocess
from dataclasses import dataclass

from deplib.cache import Failure

HEADER_START = 0x1f1
ELFCLASS64 = 2
# Magic bytes of the payload -> command that unpacks it.
UNPACKERS = {
    b"\x1f\x8b": ("gzip", "-dc"),
    b"\xfd7zXZ\0": ("xz", "-dc", "--single-stream"),
    b"\x28\xb5\x2f\xfd": ("zstd", "-dcq"),
    b"\x02\x21\x4c\x18": ("lz4", "-dc"),
}


@dataclass
class Image:
    """What to place in memory: DATA at LOAD, ENTRY in 64-bit mode, END of use."""
    data: object                # bytes or anything like them
    load: int
    entry: int
    end: int


class BzImage:
    """A bzImage, opened once."""

    def __init__(self, path):
        with open(path, "rb") as handle:
            self.data = handle.read()
        if self.data[0x202:0x206] != b"HdrS":
            raise Failure(f"{path} is not a bzImage")
        self.path = path
        self.setup_size = ((self.data[0x1f1] or 4) + 1) * 512

    def header(self):
        """The setup header: bytes from offset 0x1f1 on."""
        return self.data[HEADER_START:0x202 + self.data[0x201]]

    def elf(self):
        """The uncompressed kernel, an ELF file with relocations appended."""
        offset, length = struct.unpack_from("<II", self.data, 0x248)
        start = self.setup_size + offset
        payload = self.data[start:start + length]
        for magic, command in UNPACKERS.items():
            if payload.startswith(magic):
                break
        else:
            raise Failure(f"{self.path}: unknown compression "
                          + payload[:6].hex())
        # The kernel build appends the unpacked size, which only some of the
        # unpackers tolerate; the ELF magic below tells if that went wrong.
        if command[0] == "lz4":
            payload = payload[:-4]
        done = subprocess.run(command, input=payload, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, check=False)
        if done.stdout[:4] != b"\x7fELF":
            raise Failure(f"{self.path}: {command[0]} does not give an ELF "
                          "file (is it installed?)")
        return done.stdout


def flatten(elf):
    """Image of a 64-bit ELF kernel: its segments at their physical addresses."""
    if elf[4] != ELFCLASS64:
        raise Failure("only 64-bit kernels can be started on Bochs; "
                      "use --machine bt")
    entry, table = struct.unpack_from("<QQ", elf, 24)
    count = struct.unpack_from("<H", elf, 56)[0]
    segments = []
    for index in range(count):
        kind, _, offset, _, address, size, room = struct.unpack_from(
            "<IIQQQQQ", elf, table + 56 * index)
        if kind == 1:
            segments.append((address, offset, size, room))
    load = min(segment[0] for segment in segments)
    end = max(address + room for address, _, _, room in segments)
    data = bytearray(max(address + size for address, _, size, _ in segments)
                     - load)
    for address, offset, size, _ in segments:
        data[address - load:address - load + size] = elf[offset:offset + size]
    return Image(bytes(data), load, entry & 0xffffffff, end)
