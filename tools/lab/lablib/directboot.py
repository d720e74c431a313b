# SPDX-License-Identifier: GPL-2.0-only
"""Starting a Linux kernel on Bochs without disk, boot loader or decompressor.

The result is one file that Bochs puts into memory (optramimage) and an option
ROM that jumps into it; boot/loader.asm tells how and why it looks as it does.
"""
import struct
from pathlib import Path

from deplib import cache, unpack

BLOCK = 0x20000                 # Bochs' default unit of backing memory
PAD_BLOCKS = 64                 # more than the BIOS touches before the ROM runs
SIGNATURE = 0x4D544142
ROM_BLOCKS = 2                  # of 512 bytes
COMMAND_LINE_MAX = 2047

# Offsets within the boot data.
COMMAND_LINE = 0x1000
HANDOFF = 0x2000
PAGE_TABLES = 0x3000            # PML4, PDPT, four page directories
BOOT_DATA_SIZE = 0x9000

# Reserved at the top for what the BIOS keeps there (ACPI tables).
TOP_RESERVE = 0x100000


def _round_up(value, unit):
    return (value + unit - 1) // unit * unit


def _page_tables(base):
    """Identity map of the first 4 GiB in 2 MiB pages."""
    tables = bytearray(0x6000)
    struct.pack_into("<Q", tables, 0, base + 0x1003)
    for gib in range(4):
        directory = 0x2000 + gib * 0x1000
        struct.pack_into("<Q", tables, 0x1000 + 8 * gib,
                         base + directory + 3)
        for index in range(512):
            struct.pack_into("<Q", tables, directory + 8 * index,
                             ((gib * 512 + index) << 21) + 0x83)
    return tables


def _boot_data(base, header, entry, command_line, initrd, initrd_size):
    """boot_params, command line, page tables and hand-off, placed at BASE."""
    data = bytearray(BOOT_DATA_SIZE)
    data[0x1f1:0x1f1 + len(header)] = header
    struct.pack_into("<H", data, 0x1fa, 0xffff)         # vid_mode: as it is
    data[0x210] = 0xff                                  # type_of_loader
    data[0x211] |= 1                                    # LOADED_HIGH
    struct.pack_into("<II", data, 0x218, initrd, initrd_size)
    struct.pack_into("<I", data, 0x228, base + COMMAND_LINE)
    encoded = command_line.encode()
    if len(encoded) > COMMAND_LINE_MAX:
        raise cache.Failure("the kernel command line is longer than "
                            f"{COMMAND_LINE_MAX} bytes")
    data[COMMAND_LINE:COMMAND_LINE + len(encoded)] = encoded
    struct.pack_into("<QQ", data, HANDOFF, SIGNATURE, entry)
    data[PAGE_TABLES:] = _page_tables(base + PAGE_TABLES)
    return data


def boot_data_address(image_end):
    """Where prepare() puts the boot data of an image that ends there."""
    return _round_up(image_end, 0x200000)


def assemble(source, path, symbols):
    """Assemble boot/SOURCE to PATH with SYMBOLS defined."""
    defines = [f"-D{name}={value:#x}" for name, value in symbols.items()]
    unpack.run("nasm", "-f", "bin", *defines, "-o", str(path),
               str(Path(__file__).resolve().parent.parent / "boot" / source))


def _rom(path, symbols):
    """Assemble the option ROM with SYMBOLS to PATH, with a valid checksum."""
    assemble("loader.asm", path, symbols)
    rom = bytearray(path.read_bytes())
    rom[-1] = -sum(rom[:-1]) & 0xff
    path.write_bytes(rom)


def prepare(directory, megabytes, image, header, command_line, initrd):
    """Write blob.bin and rom.bin to DIRECTORY; the blob's address in memory.

    IMAGE is a vmlinux.Image, HEADER the setup header of its bzImage, INITRD a
    list of byte strings that are one after the other in memory.
    """
    boot_data = boot_data_address(image.end)
    initrd_at = boot_data + 0x100000
    initrd_size = sum(map(len, initrd))
    end = initrd_at + initrd_size
    scratch = _round_up(end, 0x100000)
    if scratch + PAD_BLOCKS * BLOCK > (megabytes << 20) - TOP_RESERVE:
        raise cache.Failure(
            "%d MB of memory are too little for this kernel and initramfs; "
            "use --mem %d or more" % (
                megabytes,
                (scratch + PAD_BLOCKS * BLOCK + TOP_RESERVE >> 20) + 64))
    with open(directory / "blob.bin", "wb") as blob:
        for index in range(PAD_BLOCKS):
            blob.seek(index * BLOCK)
            blob.write(struct.pack("<I", index))
        start = PAD_BLOCKS * BLOCK - image.load
        blob.seek(start + image.load)
        blob.write(image.data)
        blob.seek(start + boot_data)
        blob.write(_boot_data(boot_data, header, image.entry, command_line,
                              initrd_at, initrd_size))
        blob.seek(start + initrd_at)
        for part in initrd:
            blob.write(part)
    _rom(directory / "rom.bin", {
        "ROM_BLOCKS": ROM_BLOCKS, "SCRATCH": scratch,
        "PAD_BLOCKS": PAD_BLOCKS, "LOAD_BASE": image.load, "BLOB_END": end,
        "BOOT_DATA": boot_data, "PAGE_TABLES": boot_data + PAGE_TABLES,
        "HANDOFF": boot_data + HANDOFF})
    return scratch
