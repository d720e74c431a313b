# SPDX-License-Identifier: GPL-2.0-only
"""Where a boot's overhead comes from: events of the boot times what each costs.

As in Adams and Agesen's Figure 5: what an operation costs here less what it
costs on the bare machine comes from the nanobenchmarks, how often it happened
from the counters, and the sum is held against what the boot took more. What is
left is called so.

Interrupts of clocks, the host's and the guest's, are priced by a workload that
meets nothing else (compute); what came with them there is taken off the other
counters.
"""
from dataclasses import dataclass

from . import plan

WORKLOAD = "boot"
CLOCK = "compute"
# The parts must make up the measured overhead to within this.
TOLERANCE = 0.10
RUNNERS = ("tandem-bt", "tandem-bt-simple", "tandem-vmx-shadow",
           "tandem-vmx-ept")


@dataclass
class Part:
    """A bar of the figure."""
    name: str
    count: float
    cost: float             # of one, over the bare machine's

    @property
    def total(self):
        return self.count * self.cost


@dataclass
class Breakdown:
    """All bars of a runner."""
    runner: str
    parts: list
    measured: float         # overhead, in instructions

    @property
    def rest(self):
        return self.measured - sum(part.total for part in self.parts)

    @property
    def adds_up(self):
        return abs(self.rest) <= TOLERANCE * abs(self.measured)


class _Prices:
    """Differences to the bare machine, of one runner."""

    def __init__(self, figures, runner):
        self._have = {(figure.op, figure.runner): figure
                      for figure in figures}
        self._runner = runner

    def figure(self, op, runner=None):
        return self._have.get((op, runner or self._runner))

    def over_bare(self, op):
        here, bare = self.figure(op), self.figure(op, plan.BARE)
        if not here or not bare:
            raise KeyError(op)
        return here.instructions - bare.instructions


def _counts(prices):
    """Events of the boot that did not come with a clock's interrupt, and those
    that did."""
    boot = prices.figure(WORKLOAD).events
    clock = prices.figure(CLOCK).events
    ticks = boot.get("vm_exit_host_intr", 0)
    share = ticks / max(1, clock.get("vm_exit_host_intr", 0))
    events = {name: max(0, count - share * clock.get(name, 0))
              for name, count in boot.items()}
    return events, ticks, clock.get("vm_exit_host_intr", 0)


def _parts(prices):
    """The parts, largest first."""
    events, ticks, clock_ticks = _counts(prices)
    bare = prices.figure(WORKLOAD, plan.BARE).events

    def here(*names):
        return sum(events.get("vm_" + name, 0) for name in names)

    launcher = min(here("user_exits"), here("exit_io"))
    bt = here("bt_translated")
    traced = prices.over_bare("trace_fault")
    found = [
        Part("clock interrupts", ticks,
             prices.over_bare(CLOCK) / max(1, clock_ticks)),
        Part("ports, launcher's", launcher, prices.over_bare("in")),
        Part("ports, in the kernel", here("exit_io") - launcher,
             prices.over_bare("in_pic")),
        Part("control registers", here("exit_cr"),
             prices.over_bare("cr3_switch")),
        Part("RDMSR", here("exit_rdmsr"), prices.over_bare("rdmsr_efer")),
        Part("WRMSR", here("exit_wrmsr"), prices.over_bare("wrmsr_lstar")),
        Part("CPUID", here("exit_cpuid"), prices.over_bare("cpuid")),
        Part("APIC", here("exit_apic") or here("exit_mmio"),
             prices.over_bare("apic_read")),
        Part("true page faults", here("pf_true"), prices.over_bare("pgfault")),
        Part("hidden page faults", here("pf_hidden"),
             prices.over_bare("hidden_fault")),
        Part("traced page-table writes", here("pf_trace"), traced),
    ]
    if bt:
        pair = prices.over_bare("callret")
        found += [
            Part("translation (units)", here("bt_translated"),
                 prices.over_bare("translate")),
            Part("call and return", bare.get("supervisor_returns", 0), pair),
            Part("indirect calls and jumps",
                 bare.get("supervisor_indirect_calls", 0)
                 + bare.get("supervisor_indirect_jumps", 0),
                 max(0, prices.over_bare("indirect_call") - pair)),
            Part("indirect branches not found", here("bt_lookup_misses"),
                 prices.over_bare("cpuid")),
            Part("system calls", bare.get("syscalls", 0),
                 prices.over_bare("syscall")),
            Part("other instructions left to the monitor", here("exit_insn"),
                 prices.over_bare("clts")),
        ]
    else:
        found.append(Part("INVLPG", here("exit_invlpg"),
                          prices.over_bare("invlpg")))
    return sorted((part for part in found if part.count),
                  key=lambda part: -part.total)


def breakdowns(figures):
    """[Breakdown] of each runner that has all it takes."""
    found = []
    for runner in RUNNERS:
        prices = _Prices(figures, runner)
        if not all(prices.figure(op, name) for op in (WORKLOAD, CLOCK)
                   for name in (runner, plan.BARE)):
            continue
        try:
            parts = _parts(prices)
        except KeyError:
            continue        # an operation it needs was not measured
        found.append(Breakdown(runner, parts, prices.over_bare(WORKLOAD)))
    return found
