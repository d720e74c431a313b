# SPDX-License-Identifier: GPL-2.0-only
"""What emulator/hooks.cc counted, for files and for people."""
import bisect
import collections
import shutil

from . import report as tell

# Basic exit reasons that show up here (SDM volume 3, appendix C).
EXIT_REASONS = {
    0: "exception_nmi", 1: "external_interrupt", 2: "triple_fault",
    3: "init", 4: "sipi", 7: "interrupt_window", 8: "nmi_window",
    9: "task_switch", 10: "cpuid", 12: "hlt", 13: "invd", 14: "invlpg",
    15: "rdpmc", 16: "rdtsc", 18: "vmcall", 28: "cr_access", 29: "dr_access",
    30: "io", 31: "rdmsr", 32: "wrmsr", 33: "entry_failed_state",
    34: "entry_failed_msr", 36: "mwait", 37: "monitor_trap", 39: "monitor",
    40: "pause", 41: "entry_failed_mc", 43: "tpr_below_threshold",
    44: "apic_access", 45: "virtualized_eoi", 46: "gdtr_idtr", 47: "ldtr_tr",
    48: "ept_violation", 49: "ept_misconfig", 50: "invept", 51: "rdtscp",
    52: "preemption_timer", 53: "invvpid", 54: "wbinvd", 55: "xsetbv",
    56: "apic_write", 57: "rdrand", 58: "invpcid", 59: "vmfunc",
    61: "rdseed", 62: "pml_full"}


def windows(path):
    """[{event: count}] of the windows in the events file PATH."""
    found = []
    with open(path, encoding="ascii") as lines:
        for line in lines:
            events = {}
            for word in line.split()[2:]:
                name, count = word.split("=")
                kind, _, number = name.rpartition("_")
                if kind == "exit" and int(number) in EXIT_REASONS:
                    name = "exit_" + EXIT_REASONS[int(number)]
                events[name] = int(count)
            found.append(events)
    return found


class Symbols:
    """Names by address, from a copy of /proc/kallsyms."""

    def __init__(self, path):
        found = []
        if path.exists():
            with open(path, encoding="ascii", errors="replace") as lines:
                for line in lines:
                    words = line.split()
                    if len(words) >= 3 and words[1] in "tTwW":
                        module = f" {words[3]}" if len(words) > 3 else ""
                        found.append((int(words[0], 16), words[2] + module))
        found.sort(key=lambda symbol: symbol[0])
        self._addresses = [address for address, _ in found]
        self._names = [name for _, name in found]

    def name(self, address):
        at = bisect.bisect_right(self._addresses, address) - 1
        return self._names[at] if at >= 0 else f"{address:#x}"


def profile(directory):
    """Counter of instructions by symbol, summed over all windows."""
    symbols = Symbols(directory / "kallsyms.txt")
    counts = collections.Counter()
    with open(directory / "profile.txt", encoding="ascii") as lines:
        for line in lines:
            world, *words = line.split()
            if world == "window":
                continue
            address, count = words
            name = symbols.name(int(address, 16)) if world == "kernel" \
                else f"[{world}]"
            counts[name] += int(count)
    return counts


def _show_profile(directory, number):
    counts = profile(directory)
    whole = sum(counts.values()) or 1
    tell.say(f"profile: {whole} instructions in "
             f"{len(windows(directory / 'events.txt'))} window(s)")
    for name, count in counts.most_common(number):
        tell.say(f"{count:14d} {100 * count / whole:5.1f} %  {name}")
    totals = collections.Counter()
    for window in windows(directory / "events.txt"):
        totals.update(window)
    for name, count in sorted(totals.items()):
        tell.say(f"{count:14d}          {name}")


def report(options, directory):
    """Deliver what OPTIONS asked for of the run in DIRECTORY."""
    if options.events:
        shutil.copyfile(directory / "events.txt", options.events)
    if options.profile:
        _show_profile(directory, options.profile)
