# SPDX-License-Identifier: GPL-2.0-only
"""Cost model: from counts to cycles on a real CPU.

cycles = instructions x cpi + sum(events x cost). A projection, not a
measurement: caches, TLB misses and everything else that is not an event here
are in cpi, which is an assumption. A profile may come from a file (JSON, the
same keys).
"""
import json

# exit: VM exit and entry; fault: exception entry and IRET without an exit;
# interrupt: likewise; cr3, invlpg: those executed, not those that exited.
PROFILES = {
    # [A06] Adams & Agesen 2006, table 1 and nanobenchmarks; no figures for
    # CR3 and INVLPG there: taken as Skylake's.
    "p4": {"cpi": 1.0, "exit": 2409 + 1931, "fault": 1093, "interrupt": 1093,
           "cr3": 186, "invlpg": 300},
    # Exit with a minimal handler; #PF entry and IRET as measured on Haswell.
    "skylake": {"cpi": 0.5, "exit": 1200, "fault": 715 + 330,
                "interrupt": 614, "cr3": 186, "invlpg": 300},
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
            + _sum(events, "", "_cr3_loads") * profile["cr3"]
            + (events.get("guest_invlpg", 0) + events.get("host_invlpg", 0))
            * profile["invlpg"])
