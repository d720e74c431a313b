# SPDX-License-Identifier: GPL-2.0-only
"""Multiboot-1 ELF files for machines that cannot load them by themselves."""
import struct

from deplib.cache import Failure

from . import directboot
from .vmlinux import Image

HEADER_MAGIC = 0x1BADB002
HEADER_WITHIN = 8192
LOWEST_LOAD = 0x1000000
LOWEST_SEGMENT = 0x100000
STAGE_SIZE = 0x1000             # room for boot/multiboot.asm and its table


def _check_header(elf, path):
    for offset in range(0, min(len(elf), HEADER_WITHIN) - 11, 4):
        magic, flags, check = struct.unpack_from("<III", elf, offset)
        if magic == HEADER_MAGIC and (magic + flags + check) % (1 << 32) == 0:
            if flags & 0xffff & ~3:
                raise Failure(f"{path}: multiboot flags {flags:#x} ask for "
                              "what this loader cannot give")
            return
    raise Failure(f"{path} has no multiboot header in its first 8 KiB")


def entry_and_segments(path):
    """(entry, [(address, bytes, size in memory)]) of the 32-bit ELF at PATH."""
    with open(path, "rb") as handle:
        elf = handle.read()
    if elf[:5] != b"\x7fELF\x01":
        raise Failure(f"{path} is not a 32-bit ELF file "
                      "(objcopy -O elf32-i386 makes one)")
    _check_header(elf, path)
    entry, table = struct.unpack_from("<II", elf, 24)
    count = struct.unpack_from("<H", elf, 44)[0]
    segments = []
    for index in range(count):
        kind, offset, _, address, size, room = struct.unpack_from(
            "<IIIIII", elf, table + 32 * index)
        if kind != 1 or not room:
            continue
        if address < LOWEST_SEGMENT:
            raise Failure(f"{path}: segment at {address:#x}, below 1 MiB")
        segments.append((address, elf[offset:offset + size], room))
    return entry, segments


def image(path, scratch):
    """vmlinux.Image that starts the ELF file; SCRATCH is a directory to use."""
    entry, segments = entry_and_segments(path)
    top = max(address + room for address, _, room in segments)
    load = max(LOWEST_LOAD, (top + 0x1fffff) & ~0x1fffff)
    size = STAGE_SIZE + sum(len(data) for _, data, _ in segments)
    boot_data = directboot.boot_data_address(load + size)
    stage = scratch / "multiboot.bin"
    directboot.assemble("multiboot.asm", stage, {
        "LOAD": load, "BOOT_DATA": boot_data,
        "COMMAND_LINE": boot_data + directboot.COMMAND_LINE})
    table = struct.pack("<II", entry, len(segments))
    payload = b""
    for address, data, room in segments:
        table += struct.pack("<IIII", address,
                             load + STAGE_SIZE + len(payload), len(data), room)
        payload += data
    code = stage.read_bytes() + table
    if len(code) > STAGE_SIZE:
        raise Failure(f"{path} has too many segments")
    return Image(code.ljust(STAGE_SIZE, b"\0") + payload, load, load,
                 load + size)
