# SPDX-License-Identifier: GPL-2.0-only
"""Runs the guests and reads what was counted.

Everything that needs a host runs in one boot of it. Figures come from the
lab's counting emulator: one window for each operation, in the order in which
the guests print their lines.
"""
import os
import re
import subprocess
import tempfile
from argparse import Namespace
from dataclasses import dataclass, field

from deplib import kernel
from lablib import artefacts, cpio
from lablib.measure import windows
from testlib import BUILD, LAB, TOP, labrun

from . import plan

HERE = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
NANO_ELF = os.path.join(BUILD, "guests", "nano.elf")
LAUNCHER = os.path.join(BUILD, "tandem")
WORK = os.path.join(BUILD, "bench")
NANO_MB = 128
LINUX_MB = 256
HOST_MB = 1024
GUEST_APPEND = ("console=ttyS0,115200 quiet nokaslr mitigations=off "
                "cryptomgr.notests random.trust_cpu=on panic=-1")
_LINE = re.compile(r"^# (nano|macro) (\S+) (\d+) (\d+)(?: (\w+))?\s*$", re.M)
_STAT = re.compile(r"^([a-z]\w*) +(\d+)(?:  # |$)", re.M)
# The guest's ticks of a window hold two reads of the clock that the emulator's
# do not (or the other way round), and perhaps the host's clock interrupt.
TOLERANCE = 100_000


class Failure(Exception):
    """Shown without a traceback."""


@dataclass
class Row:
    """One operation on one runner; counts are totals."""
    op: str
    runner: str
    n: int
    kind: str
    counts: dict            # of the emulator, within the window
    stats: dict = field(default_factory=dict)   # of the VM, from its creation


@dataclass
class Missing:
    """An operation that a runner did not do."""
    op: str
    runner: str
    why: str


def build(module):
    """The guests, the launcher, and the module unless there is a MODULE."""
    os.makedirs(WORK, exist_ok=True)
    steps = [["make", "-s", "-C", os.path.join(TOP, "tools/testing/guests")],
             ["make", "-s", "-C", TOP, "tools"],
             ["gcc", "-O2", "-Wall", "-static", "-s", "-o",
              os.path.join(WORK, "macro"),
              os.path.join(HERE, "guest/macro.c")]]
    if not module:
        steps.append(["make", "-s", "-C", TOP, "modules", "KERNEL=6.1"])
    for step in steps:
        done = subprocess.run(step, stdout=subprocess.DEVNULL, check=False)
        if done.returncode:
            raise Failure(f"{' '.join(step)} failed")
    archive = cpio.Archive()
    archive.directory("dev")
    archive.device("dev/console", 0o020000, 5, 1)
    with open(os.path.join(WORK, "macro"), "rb") as program:
        archive.file("init", program.read(), 0o755)
    with open(os.path.join(WORK, "initrd"), "wb") as out:
        out.write(archive.data())


def _append(op, n):
    return f"{GUEST_APPEND} bench={op} n={n}"


def _rows(output, runner, found, stats):
    """Rows of a guest's OUTPUT; takes their windows from the list FOUND."""
    rows = []
    for what, op, ticks, n, kind in _LINE.findall(output.replace("\r", "")):
        if not found:
            raise Failure(f"{runner}: {op} has no window: lab and guest "
                          "disagree")
        counts = found.pop(0)
        # Ticks within timed parts are coarse; a boot is not timed inside.
        if kind != "timed" and op != "boot" \
                and abs(counts["ticks"] - int(ticks)) > TOLERANCE:
            raise Failure(f"{runner}: {op}: {ticks} ticks in the guest, "
                          f"{counts['ticks']} in the emulator")
        rows.append(Row(op, runner, int(n), kind or what, counts, stats))
    return _least_disturbed(rows)


def _least_disturbed(rows):
    """One of the rounds of each operation: the one with the fewest instructions.

    The others differ from it by more interrupts of the host's clock.
    """
    best = {}
    for row in rows:
        old = best.get(row.op)
        if not old or row.counts["instructions"] < old.counts["instructions"]:
            best[row.op] = row
    return list(best.values())


def _bare(name, words, events):
    argv = [LAB, "baremetal", "--machine", "vmx", "--count", "--events",
            events, "--timeout", "300", *words]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    output = done.stdout.decode("utf-8", "replace")
    if done.returncode not in (0, 1):
        raise Failure(f"bare machine, {name}: status {done.returncode}\n"
                      + output[-1000:] + done.stderr.decode()[-1000:])
    return _rows(output, plan.BARE, windows(events), {})


def bare(ops, counts, cpu):
    """Rows of everything on the bare machine."""
    events = os.path.join(WORK, "bare-events.txt")
    extra = ["--cpu", cpu] if cpu else []
    rows = []
    if ops:
        rows += _bare("nano", ["--elf", NANO_ELF, "--mem", str(NANO_MB),
                               "--append", "op=" + ",".join(ops), *extra],
                      events)
    for op, n in counts.items():
        rows += _bare(op, ["--kernel", str(_cloud_kernel()), "--initrd",
                           os.path.join(WORK, "initrd"), "--mem",
                           str(LINUX_MB), "--append", _append(op, n), *extra],
                      events)
    return rows


def _cloud_kernel():
    return kernel.vmlinuz("6.1", "cloud-amd64")


def _commands(runners, ops, counts):
    """{(runner, "nano" or workload): labrun.Command}, in order."""
    commands = {}
    for runner in runners:
        base = f"{runner.check} && " \
            f"/root/tandem run {runner.options} --prealloc --stats"
        if runner.setup:
            commands[runner.name, "setup"] = labrun.Command(
                "setup", runner.setup, 60)
        if ops:
            commands[runner.name, "nano"] = labrun.Command(
                "nano", f"{base} --mem {NANO_MB} --timeout 200 "
                f"--elf /root/nano.elf --append op={','.join(ops)}", 200)
        for op, n in counts.items():
            commands[runner.name, op] = labrun.Command(
                op, f"{base} --mem {LINUX_MB} --timeout 1000 "
                "--kernel /root/vmlinux --initrd /root/initrd "
                f"--append '{_append(op, n)}'", 1000)
        if runner.teardown:
            commands[runner.name, "teardown"] = labrun.Command(
                "teardown", runner.teardown, 60)
    return commands


def _stats(output):
    """Counters of `tandem run --stats`, without the launcher's own."""
    return {name: int(value) for name, value in _STAT.findall(output)
            if not name.startswith("launcher_")}


def _why(command):
    if command.output is None:
        return "not reached: the host died before"
    lines = [line for line in command.output.splitlines()
             if line and not line.startswith("#") and not _STAT.match(line)]
    return f"status {command.status}: " + " ".join(lines[-3:])[-300:]


def hosted(runners, ops, counts, options):
    """(rows, missing, trouble) of RUNNERS, all in one boot of a host."""
    commands = _commands(runners, ops, counts)
    handle, events = tempfile.mkstemp(prefix="events-", dir=WORK)
    os.close(handle)
    args = Namespace(machine="vmx", kernel="6.1", smp=1, mem=HOST_MB,
                     emulator=None, cpu=options.cpu, append=[],
                     device="/dev/tandem", module_args=options.module_args,
                     verbose=options.verbose)
    files = [(LAUNCHER, "/root/tandem"), (NANO_ELF, "/root/nano.elf"),
             (str(artefacts.elf_kernel(_cloud_kernel())), "/root/vmlinux"),
             (os.path.join(WORK, "initrd"), "/root/initrd")]
    status, messages = labrun.run(
        list(commands.values()), args, files, timeout=options.timeout,
        extra=["--count", "--events", events, "--kmod", "kvm_intel",
               *(["--module", options.module] if options.module else [])])
    found = windows(events)
    os.unlink(events)
    if not found:
        raise Failure(f"nothing was counted; the lab ended with {status}\n"
                      + messages)
    rows, missing = [], []
    for (runner, what), command in commands.items():
        if options.verbose:
            print(f"# {runner} {what}: status {command.status}\n"
                  f"{command.output}")
        if what in ("setup", "teardown"):
            continue
        wanted = list(ops) if what == "nano" else [what]
        got = _rows(command.output or "", runner, found,
                    _stats(command.output or ""))
        rows += got
        have = {row.op for row in got}
        missing += [Missing(op, runner, _why(command))
                    for op in wanted if op not in have]
    trouble = f"the host ended with status {status}\n{messages}" \
        if status else ""
    return rows, missing, trouble
