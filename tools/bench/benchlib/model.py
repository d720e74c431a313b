# SPDX-License-Identifier: GPL-2.0-only
"""Cost model: from counts to cycles on a real CPU.

cycles = instructions x cpi + sum(events x cost). A projection, not a
measurement: caches, TLB misses and everything else that is not an event here
are in cpi, which is an assumption. A profile may come from a file (JSON, the
same keys): --profile FILE; --measure FILE makes one on real hardware.
"""
import json

# exit: VM exit and entry; fault: exception entry and IRET without an exit;
# interrupt: likewise; syscall: SYSCALL and SYSRET beyond two instructions;
# port: an IN or OUT that reaches a device; cr3, invlpg: those executed, not
# those that exited.
PROFILES = {
    # [A06] Adams & Agesen 2006, table 1 and nanobenchmarks; no figures for
    # CR3 and INVLPG there: taken as Skylake's.
    "p4": {"cpi": 1.0, "exit": 2409 + 1931, "fault": 1093, "interrupt": 1093,
           "syscall": 240, "port": 3208, "cr3": 186, "invlpg": 300},
    # Exits from [A06], table 1; faults and system calls: as Skylake's.
    "core2": {"cpi": 0.7, "exit": 937 + 1186, "fault": 715 + 330,
              "interrupt": 614, "syscall": 118, "port": 1500, "cr3": 186,
              "invlpg": 300},
    # Exit with a minimal handler; #PF entry and IRET as measured on Haswell;
    # ports: an LPC bus cycle of half a microsecond.
    "skylake": {"cpi": 0.5, "exit": 1200, "fault": 715 + 330,
                "interrupt": 614, "syscall": 118, "port": 1500, "cr3": 186,
                "invlpg": 300},
}
_KEYS = set(PROFILES["p4"])


def load(path):
    """A profile from the file PATH; ValueError says what is wrong with it."""
    with open(path, encoding="utf-8") as data:
        profile = json.load(data)
    if not isinstance(profile, dict) or set(profile) != _KEYS or not all(
            isinstance(cost, (int, float)) and cost >= 0
            for cost in profile.values()):
        raise ValueError(f"a profile has these numbers: "
                         f"{', '.join(sorted(_KEYS))}")
    return profile


def _sum(events, start, end=""):
    return sum(count for name, count in events.items()
               if name.startswith(start) and name.endswith(end))


def cycles(figure, profile):
    """What FIGURE would cost on a CPU of PROFILE."""
    events = figure.events
    # A guest's exception that exits is counted as the exit it is.
    faults = max(0, _sum(events, "guest_exception_")
                 - events.get("exit_exception_nmi", 0)) \
        + _sum(events, "host_exception_")
    return (figure.instructions * profile["cpi"]
            + events.get("vm_exits", 0) * profile["exit"]
            + faults * profile["fault"]
            + (events.get("guest_interrupts", 0)
               + events.get("host_interrupts", 0)) * profile["interrupt"]
            + events.get("syscalls", 0) * profile["syscall"]
            + events.get("port_accesses", 0) * profile["port"]
            + _sum(events, "", "_cr3_loads") * profile["cr3"]
            + (events.get("guest_invlpg", 0) + events.get("host_invlpg", 0))
            * profile["invlpg"])


# [A06], P4 672: cycles natively, by BT, by VT with shadow paging.
PAPER_PROFILE = "p4"
PAPER_RUNNERS = ("bare", "tandem-bt", "tandem-vmx-shadow")
PAPER = {
    "syscall": (242, 2308, 246),
    "in": (3209, 216, 15826),
    "cr8wr": (150, 35, 177),
    "callret": (11, 51, 11),
    "pgfault": (1093, 3927, 11242),
    "divzero": (889, 3223, 1014),
    "ptemod_unchanged": (1, 391, 12733),
    "ptemod_p_np": (4, 17, 9154),
    "ptemod_np_p": (5, 2121, 17020),
    "rdtsc": (None, 216, None),
}
# Why a ratio may be far from 1: (operation, runner, below or above): reason.
_UNSYNC = ("their monitor takes a trace for each write; ours frees a table "
           "from its trace until the guest's next flush, so that of many "
           "writes only the first costs (see trace_fault)")
_CPI = ("one or a few instructions, which a P4 takes many cycles for; the "
        "model gives every instruction the same CPI")
EXPLAINED = {
    ("cr8wr", "bare", "below"): _CPI + ": MOV to CR8 is serialising there",
    ("callret", "bare", "below"): _CPI,
    ("callret", "tandem-vmx-shadow", "below"): _CPI,
    ("callret", "tandem-bt", "below"): "a shorter sequence for returns, and "
                                       "the model's CPI is low",
    ("cr8wr", "tandem-vmx-shadow", "below"): _CPI,
    ("cr8wr", "tandem-bt", "below"): "stores to a page of the monitor's and "
                                     "compares, nothing more",
    ("cr8wr", "tandem-bt", "above"): "leaves the translation cache here; "
                                     "theirs does not",
    ("in", "tandem-bt", "above"): "nobody's port: here it goes to the "
                                  "launcher's user space and back; theirs is "
                                  "handled in the translation cache (compare "
                                  "in_pic)",
    ("in", "tandem-vmx-shadow", "below"): "theirs goes to another process; "
                                          "ours to the launcher's same thread",
    ("ptemod_unchanged", "tandem-bt", "below"): _UNSYNC,
    ("ptemod_unchanged", "tandem-vmx-shadow", "below"): _UNSYNC,
    ("ptemod_p_np", "bare", "below"): _CPI,
    ("ptemod_p_np", "tandem-bt", "below"): _UNSYNC,
    ("ptemod_p_np", "tandem-vmx-shadow", "below"): _UNSYNC,
    ("ptemod_np_p", "bare", "below"): _CPI,
    ("ptemod_np_p", "tandem-bt", "below"): _UNSYNC,
    ("ptemod_np_p", "tandem-vmx-shadow", "below"): _UNSYNC,
    ("pgfault", "tandem-bt", "above"): "a true fault here leaves the monitor "
                                       "for the host's core, which walks the "
                                       "guest's tables and delivers by the "
                                       "interpreter; theirs stays inside",
    ("divzero", "tandem-bt", "above"): "delivered by the interpreter in the "
                                       "host, and IRET checked by it; theirs "
                                       "stays inside the monitor",
    ("pgfault", "tandem-vmx-shadow", "below"): "one exit and an injection; "
                                               "theirs exited for the IRET's "
                                               "consequences as well",
    ("syscall", "tandem-bt", "below"): "SYSCALL arrives in the monitor "
                                       "already at ring 0, which writes the "
                                       "guest's registers and goes on; theirs "
                                       "is a full fault",
    ("rdtsc", "tandem-bt", "above"): "a callout here, as theirs of 1254; the "
                                     "216 are for emulation in the "
                                     "translation cache",
    ("rdtsc", "tandem-bt", "below"): "an offset added, nothing more",
}


def against_paper(figures):
    """[(operation, runner, projected, the paper's, ratio, explanation)]."""
    have = {(figure.op, figure.runner): figure for figure in figures}
    found = []
    for op, row in PAPER.items():
        for runner, theirs in zip(PAPER_RUNNERS, row):
            figure = have.get((op, runner))
            if theirs is None or not figure:
                continue
            ours = cycles(figure, PROFILES[PAPER_PROFILE])
            ratio = ours / theirs
            side = "above" if ratio > 2 else "below" if ratio < 0.5 else ""
            why = EXPLAINED.get((op, runner, side), "not explained") \
                if side else ""
            found.append((op, runner, ours, theirs, ratio, why))
    return found
