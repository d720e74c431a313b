# SPDX-License-Identifier: GPL-2.0-only
"""Moving an uncompressed kernel to a random virtual address.

The kernel's decompressor does this, but takes half a minute under Bochs. It
finds what to change in a table that the kernel build appends to the ELF file,
read from its end backwards: low halves of 32-bit addresses, a zero, addresses
that shrink (per-CPU), a zero, 64-bit addresses, a zero.
"""
import array
import random

from deplib.cache import Failure

from .vmlinux import Image

# loadflags bit that makes the kernel randomise its memory regions too.
KASLR_FLAG = 0x02
ALIGN = 0x200000
# The kernel's window of virtual addresses is 1 GiB from here.
WINDOW = 0x40000000
_WINDOW_START = 0x80000000      # low half of __START_KERNEL_map
# No kernel has fewer; a table that is not there would read as empty.
_FEWEST = 1000


def _tables(elf):
    """(32-bit, shrinking, 64-bit) lists of places, low halves of addresses."""
    words = array.array("I")
    words.frombytes(elf[len(elf) % 4:])
    tables = []
    end = len(words)
    for _ in range(3):
        start = end
        while start and words[start - 1]:
            start -= 1
        tables.append(words[start:end])
        end = start - 1
    if len(tables[0]) < _FEWEST:
        raise Failure("this kernel has no relocations, it cannot be moved")
    return tables


def move(image, elf, repeatable):
    """IMAGE moved up by a random distance, the same each time if REPEATABLE.

    ELF is the file it was made of, with the kernel's relocations at its end.
    """
    source = random.Random(7) if repeatable else random.SystemRandom()
    room = WINDOW - image.end
    delta = source.randrange(1, room // ALIGN) * ALIGN
    data = bytearray(image.data)
    base = _WINDOW_START + image.load
    for places, size, amount in zip(_tables(elf), (4, 4, 8),
                                    (delta, -delta, delta)):
        mask = (1 << 8 * size) - 1
        for place in places:
            at = place - base
            value = int.from_bytes(data[at:at + size], "little") + amount
            data[at:at + size] = (value & mask).to_bytes(size, "little")
    return Image(data, image.load, image.entry, image.end)
