# SPDX-License-Identifier: GPL-2.0-only
"""Measures a cost model's profile on the machine this runs on.

nano.elf runs as a guest of the machine's own KVM with nested paging: what
causes no exit there costs what it costs on the hardware, and CPUID shows what
an exit costs. Ticks are the time-stamp counter's, not the core's clock: fix the
frequency, or read the profile as ticks. Needs /dev/kvm on real hardware, which
the project's test machines do not have: never run there, only its reading of
nano's lines is tested.
"""
import json
import re
import subprocess

from . import model

_LINE = re.compile(r"^# nano (\w+) (\d+) (\d+) (\w+)", re.M)
_OPS = ("empty", "cpuid", "divzero", "syscall", "cr3_reload", "invlpg",
        "empty_timed")
# A device's port cannot be reached from a guest without an exit.
_NOT_MEASURED = {"port": model.PROFILES["skylake"]["port"]}


class Failure(Exception):
    """Shown without a traceback."""


def profile_of(output):
    """A profile from what nano.elf printed."""
    ticks = {}
    for op, whole, n, _ in _LINE.findall(output):
        each = int(whole) / int(n)
        ticks[op] = min(each, ticks.get(op, each))
    absent = [op for op in _OPS if op not in ticks]
    if absent:
        raise Failure(f"the guest did not measure {', '.join(absent)}")

    def cost(op, overhead="empty"):
        return round(max(0, ticks[op] - ticks[overhead]), 1)

    fault = cost("divzero")
    return {"cpi": round(ticks["empty"] / 2, 2), "exit": cost("cpuid"),
            "fault": fault, "interrupt": fault, "syscall": cost("syscall"),
            "cr3": cost("cr3_reload"), "invlpg": cost("invlpg", "empty_timed"),
            **_NOT_MEASURED}


def measure(launcher, guest, path):
    """Writes this machine's profile to PATH."""
    done = subprocess.run(
        [launcher, "run", "--device", "/dev/kvm", "--mem", "128", "--elf",
         guest, "--append", "op=" + ",".join(_OPS)], check=False, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE)
    if not _LINE.search(done.stdout):
        raise Failure("nothing was measured; it takes /dev/kvm on real "
                      f"hardware: {done.stderr.strip()}")
    with open(path, "w", encoding="ascii") as out:
        json.dump(profile_of(done.stdout), out, indent=1)
        out.write("\n")
