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

from deplib import kernel, programs
from lablib import artefacts
from lablib.measure import windows
from testlib import BUILD, LAB, TOP, labrun

from . import guest, plan

NANO_ELF = os.path.join(BUILD, "guests", "nano.elf")
LAUNCHER = os.path.join(BUILD, "tandem")
WORK = os.path.join(BUILD, "bench")
NANO_MB = 128
LINUX_MB = 256
# The largest guest and QEMU with its libraries; all that Bochs can have.
HOST_MB = 2048
QEMU = "usr/bin/qemu-system-x86_64"
QEMU_TCG = "usr/lib/x86_64-linux-gnu/qemu/accel-tcg-x86_64.so"
# Seconds of the host it may take, of 50 million instructions each.
QEMU_S = 400
# What QEMU's firmware directory needs for our guests.
QEMU_DATA = (("qemu-system-data", "usr/share/qemu/linuxboot_dma.bin"),
             ("qemu-system-data", "usr/share/qemu/kvmvapic.bin"),
             ("qemu-system-data", "usr/share/qemu/pvh.bin"),
             ("qemu-system-data", "usr/share/qemu/multiboot_dma.bin"),
             ("seabios", "usr/share/seabios/bios-256k.bin"))
GUEST_APPEND = ("console=ttyS0,115200 quiet nokaslr mitigations=off "
                "cryptomgr.notests random.trust_cpu=on panic=-1")
_LINE = re.compile(r"^# (nano|macro) (\S+) (\d+) (\d+)(?: (\w+))?\s*$", re.M)
_STAT = re.compile(r"^([a-z]\w*) +(\d+)(?:  # |$)", re.M)
_MARKER = re.compile(r"^(?:tandem: )?marker (\d+) tsc ", re.M)
# The guest's ticks of a window hold two reads of the clock that the emulator's
# do not (or the other way round), and perhaps the host's clock interrupt.
TOLERANCE = 100_000
# Numbers of the launcher's markers, as in guest/macro.c.
SHOW_BEFORE = 1


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
    # The VM's own counters, within the window.
    stats: dict = field(default_factory=dict)


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
             ["make", "-s", "-C", TOP, "tools"]]
    if not module:
        steps.append(["make", "-s", "-C", TOP, "modules", "KERNEL=6.1"])
    for step in steps:
        done = subprocess.run(step, stdout=subprocess.DEVNULL, check=False)
        if done.returncode:
            raise Failure(f"{' '.join(step)} failed")
    init = os.path.join(WORK, "macro")
    failed = guest.build(init)
    if failed:
        raise Failure(f"{' '.join(failed)} failed")
    guest.initrd(init, os.path.join(WORK, "initrd"))


def _append(work):
    return f"{GUEST_APPEND} bench=" \
        + ",".join(f"{op}:{n}" for op, n in work.items())


def _snapshots(output):
    """[(marker's number, counters)] of a launcher's OUTPUT."""
    parts = _MARKER.split(output)
    return [(int(number), _stats(text))
            for number, text in zip(parts[1::2], parts[2::2])]


def _between(snapshots):
    """What the counters grew by, for each workload in turn."""
    found, before = [], {}
    for number, after in snapshots:
        if number == SHOW_BEFORE:
            before = after
        else:
            found.append({name: value - before.get(name, 0)
                          for name, value in after.items()
                          if value > before.get(name, 0)})
            before = {}
    return found


def _rows(output, runner, found, rename=None):
    """Rows of a guest's OUTPUT; takes their windows from the list FOUND.

    Without that (None) the guest's own ticks have to do. RENAME: the only
    operation's name among our rows.
    """
    rows = []
    output = output.replace("\r", "")
    stats = _between(_snapshots(output))
    for what, op, ticks, n, kind in _LINE.findall(output):
        ticks = int(ticks)
        if found is None:
            counts = {"instructions": ticks, "ticks": ticks}
        elif found:
            counts = found.pop(0)
        else:
            raise Failure(f"{runner}: {op} has no window: lab and guest "
                          "disagree")
        # Ticks within timed parts are coarse; a boot is not timed inside.
        if kind != "timed" and op != "boot" \
                and abs(counts["ticks"] - ticks) > TOLERANCE + ticks // 50:
            raise Failure(f"{runner}: {op}: {ticks} ticks in the guest, "
                          f"{counts['ticks']} in the emulator")
        mine = stats.pop(0) if what == "macro" and stats else {}
        rows.append(Row(rename or op, runner, int(n), kind or what, counts,
                        mine))
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


def _bare(name, words, events, rename=None):
    argv = [LAB, "baremetal", "--machine", "vmx", "--count", "--events",
            events, "--timeout", "600", *words]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    output = done.stdout.decode("utf-8", "replace")
    if done.returncode not in (0, 1):
        raise Failure(f"bare machine, {name}: status {done.returncode}\n"
                      + output[-1000:] + done.stderr.decode()[-1000:])
    return _rows(output, plan.BARE, windows(events), rename)


def bare(ops, counts, growth, cpu):
    """Rows of everything on the bare machine."""
    events = os.path.join(WORK, "bare-events.txt")
    extra = ["--cpu", cpu] if cpu else []

    def nano(names, *words):
        return _bare("nano", ["--elf", NANO_ELF, "--mem", str(NANO_MB),
                              "--append", "op=" + ",".join(names), *words,
                              *extra], events)

    def linux(work, memory, rename=None):
        return _bare("workloads", [
            "--kernel", str(_cloud_kernel()), "--initrd",
            os.path.join(WORK, "initrd"), "--mem", str(memory), "--append",
            _append(work), *extra], events, rename)

    rows = []
    one = [op for op in ops if op != plan.SMP_NANO]
    if one:
        rows += nano(one)
    if plan.SMP_NANO in ops:
        rows += nano([plan.SMP_NANO], "--smp", "2")
    if counts:
        rows += linux(counts, LINUX_MB)
    if growth:
        rows += nano([plan.GROWTH_BOUND])
        for name, memory in plan.GROWTH_MEMORY.items():
            rows += linux({"forkwait": plan.GROWTH_FORKS}, memory, name)
    return rows


def _cloud_kernel():
    return kernel.vmlinuz("6.1", "cloud-amd64")


def _qemu(nano, memory, kernel_file, append):
    """Shell that runs a guest by emulation in the host."""
    initrd = "" if nano else "-initrd /root/initrd"
    # A guest that ends by the test port ends with an odd status.
    return (f"/{QEMU} -L /root/qemu -accel tcg -cpu max,-la57 -m {memory} "
            "-nodefaults -display none -serial stdio -no-reboot "
            "-device isa-debug-exit,iobase=0xf4 "
            f"-kernel /root/{kernel_file} {initrd} -append '{append}'")


def _guest(runner, nano, append, memory=None, words=""):
    """Shell that runs a guest on RUNNER."""
    memory = memory or (NANO_MB if nano else LINUX_MB)
    kernel_file = "nano.elf" if nano else "vmlinux"
    if runner.qemu:
        return _qemu(nano, memory, kernel_file, append)
    what = "--elf /root/nano.elf" if nano else \
        f"--kernel /root/{kernel_file} --initrd /root/initrd --marker"
    return (f"{runner.check} && /root/tandem run {runner.options} --prealloc "
            f"--stats --mem {memory} --timeout 1000 {what} {words} "
            f"--append '{append}'")


def _growth(runner):
    """{what: shell} of how the cost on RUNNER grows."""
    found = {plan.GROWTH_BOUND: plan.SMALL_TC.format(
        _guest(runner, True, "op=" + plan.GROWTH_BOUND))}
    for name, memory in plan.GROWTH_MEMORY.items():
        if runner.name not in plan.GROWTH_MEMORY_RUNNERS:
            continue
        found[name] = _guest(runner, False, _append(
            {"forkwait": plan.GROWTH_FORKS}), memory)
    return found


def _shells(runner, ops, counts, growth):
    """{what: shell} of all that RUNNER is to do."""
    found = {}
    skip = {plan.SMP_NANO} | (set(plan.NO_QEMU) if runner.qemu else set())
    nano = [op for op in ops if op not in skip]
    if nano:
        found["nano"] = _guest(runner, True, "op=" + ",".join(nano))
    if plan.SMP_NANO in ops and not runner.qemu:
        found[plan.SMP_NANO] = _guest(runner, True, "op=" + plan.SMP_NANO,
                                      words="--cpus 2")
    work = {op: min(n, plan.MACRO[op][True]) for op, n in counts.items()
            if op in plan.QEMU_MACRO} if runner.qemu else counts
    if work:
        found["workloads"] = _guest(runner, False, _append(work))
    if growth and runner.name in plan.GROWTH_RUNNERS:
        found.update(_growth(runner))
    return found


def _commands(runners, ops, counts, growth):
    """{(runner, what): labrun.Command}, in order."""
    commands = {}
    for runner in runners:
        if runner.setup:
            commands[runner.name, "setup"] = labrun.Command(
                "setup", runner.setup, 60)
        for what, shell in _shells(runner, ops, counts, growth).items():
            commands[runner.name, what] = labrun.Command(
                what, shell, QEMU_S if runner.qemu else 1800)
        if runner.teardown:
            commands[runner.name, "teardown"] = labrun.Command(
                "teardown", runner.teardown, 60)
    return commands


def _wanted(what, runner, ops, counts):
    """The operations that the command WHAT measures."""
    if what == "nano":
        return [op for op in ops if op != plan.SMP_NANO]
    if what == "workloads":
        return [op for op in counts
                if not runner.qemu or op in plan.QEMU_MACRO]
    return [what]


def _qemu_files():
    """[(host path, guest path)] of QEMU and all it needs."""
    found = programs.files("qemu-system-x86", [QEMU, QEMU_TCG])
    for package, path in QEMU_DATA:
        found.append((os.path.join(programs.tree(package), path),
                      "/root/qemu/" + os.path.basename(path)))
    return found


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


def hosted(runners, ops, counts, growth, options):
    """(rows, missing, trouble) of RUNNERS, all in one boot of a host."""
    commands = _commands(runners, ops, counts, growth)
    handle, events = tempfile.mkstemp(prefix="events-", dir=WORK)
    os.close(handle)
    qemu = any(runner.qemu for runner in runners)
    args = Namespace(machine="vmx", kernel="6.1", smp=1,
                     mem=HOST_MB, emulator=None, cpu=options.cpu, append=[],
                     device="/dev/tandem", module_args=options.module_args,
                     verbose=options.verbose)
    files = [(LAUNCHER, "/root/tandem"), (NANO_ELF, "/root/nano.elf"),
             (str(artefacts.elf_kernel(_cloud_kernel())), "/root/vmlinux"),
             (os.path.join(WORK, "initrd"), "/root/initrd"),
             *(_qemu_files() if qemu else [])]
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
        which = plan.RUNNERS[runner]
        got = _rows(command.output or "", runner,
                    None if which.qemu else found,
                    what if what in plan.GROWTH_MEMORY else None)
        # QEMU puts the command line where nano does not find it: it does all.
        wanted = _wanted(what, which, ops, counts)
        got = [row for row in got if row.op in wanted]
        rows += got
        have = {row.op for row in got}
        missing += [Missing(op, runner, _why(command))
                    for op in wanted if op not in have]
    trouble = f"the host ended with status {status}\n{messages}" \
        if status else ""
    return rows, missing, trouble
