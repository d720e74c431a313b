# SPDX-License-Identifier: GPL-2.0-only
"""Reading a host's kernel log: did it complain?"""
import re

UP = "lab: host is up"

# Lines a sound host never prints. What user programs do wrong is not the
# host's fault: see USERSPACE.
COMPLAINT = re.compile("|".join((
    r"\bBUG:", r"kernel BUG at", r"\bOops\b", r"\bWARNING:", r"Kernel panic",
    r"unable to handle", r"general protection", r"invalid opcode:",
    r"double fault", r"stack segment:", r"segment not present:",
    r"invalid TSS:", r"Call Trace:", r"unchecked MSR access",
    r"soft lockup", r"hard LOCKUP", r"detected (expedited )?stall",
    r"rcu_\w+ (self-)?detected", r"blocked for more than",
    r"scheduling while atomic", r"sleeping function called",
    r"\bKASAN\b", r"\bUBSAN\b", r"\bKFENCE\b", r"\bKCSAN\b",
    r"possible circular locking", r"possible recursive locking",
    r"inconsistent lock state", r"suspicious RCU usage",
    r"non-static key", r"DEBUG_LOCKS_WARN_ON", r"bad unlock balance",
    r"refcount_t:", r"list_(add|del) corruption", r"corrupted (stack|list)",
    r"Objects remaining in", r"Slab corruption", r"Redzone",
    r"Bad page", r"Bad rss-counter", r"unreferenced object",
    r"NMI received for unknown reason", r"Dazed and confused",
    r"unexpected (IRQ trap|machine check)", r"\[Hardware Error\]",
    r"lab: I/O permission bitmap is gone", r"lab: insmod .* failed",
    r"lab: (no|cannot) ",
)))
USERSPACE = re.compile(r"\btraps: ")


def read(path):
    """The console log at PATH as a list of lines, whatever bytes it holds."""
    try:
        with open(path, "rb") as handle:
            data = handle.read()
    except FileNotFoundError:
        return []
    return data.decode(errors="replace").replace("\r", "").splitlines()


def is_up(lines):
    """Whether the host got as far as to its init."""
    return any(UP in line for line in lines)


def complaints(lines):
    """Lines in which the host complained after it was up.

    Before that only what ended the boot counts, and that shows as a host that
    never came up.
    """
    for number, line in enumerate(lines):
        if UP in line:
            lines = lines[number:]
            break
    return [line for line in lines
            if COMPLAINT.search(line) and not USERSPACE.search(line)]
