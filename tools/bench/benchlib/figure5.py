# SPDX-License-Identifier: GPL-2.0-only
"""Where a boot's overhead comes from: events of the boot times what each costs.

As in Adams and Agesen's Figure 5: what an operation costs here less what it
costs on the bare machine comes from the nanobenchmarks, how often it happened
from the counters, and the sum is held against what the boot took more. What is
left is called so.

Interrupts of clocks, the host's and the guest's, are priced by a workload that
meets little else (compute): what its overhead is beside what else it met. The
exits that belong to such an interrupt (arming the timer, EOI) come with it, and
are taken off the boot's counters in the proportion they have there.
"""
from dataclasses import dataclass

from . import plan

WORKLOAD = "boot"
CLOCK = "compute"
# The parts must make up the measured overhead to within this.
TOLERANCE = 0.10
# Exits that come with a clock's interrupt.
CLOCKED = ("vm_exit_wrmsr", "vm_exit_insn", "vm_exit_mmio", "vm_exit_apic")
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


def _less_clock(events, clock):
    """EVENTS of the boot without those that come with clock interrupts."""
    share = events.get("vm_exit_host_intr", 0) \
        / max(1, clock.get("vm_exit_host_intr", 0))
    return {name: max(0, count - share * clock.get(name, 0))
            if name in CLOCKED else count for name, count in events.items()}


def _without_clock(prices, events, bare):
    """The parts of a workload with EVENTS here and BARE ones there."""

    def here(*names):
        return sum(events.get("vm_" + name, 0) for name in names)

    launcher = min(here("user_exits"), here("exit_io"))
    found = [
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
        Part("traced page-table writes",
             here("pf_trace") - here("code_writes"),
             prices.over_bare("trace_fault")),
        Part("page tables compared at flushes", here("shadow_syncs"),
             prices.over_bare("pte_flush") - prices.over_bare("cr3_reload")),
        Part("shadow page tables made",
             here("shadow_created") - here("root_misses"),
             prices.over_bare("hidden_table")
             - prices.over_bare("hidden_fault")),
    ]
    if "guest_instructions" in events:
        found.append(Part("the guest's own (other devices than bare)", 1,
                          events["guest_instructions"]
                          - bare["instructions"]))
    if "vm_bt_insns" not in events:
        found.append(Part("INVLPG", here("exit_invlpg"),
                          prices.over_bare("invlpg")))
        return found
    pair = prices.over_bare("callret")
    return found + [
        Part("translation (units)", here("bt_translated"),
             prices.over_bare("translate")),
        Part("writes to translated code", here("code_writes"),
             prices.over_bare("code_write")),
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


def _parts(prices):
    """The parts of the boot, largest first."""
    boot, clock = (prices.figure(op) for op in (WORKLOAD, CLOCK))
    bare = {}
    for op in (WORKLOAD, CLOCK):
        there = prices.figure(op, plan.BARE)
        bare[op] = {**there.events, "instructions": there.instructions}
    # What belongs to the clock there is in its price.
    others = {name: count for name, count in clock.events.items()
              if name not in CLOCKED}
    beside = sum(part.total for part in _without_clock(
        prices, others, bare[CLOCK]))
    price = (prices.over_bare(CLOCK) - beside) \
        / max(1, clock.events.get("vm_exit_host_intr", 0))
    found = _without_clock(prices, _less_clock(boot.events, clock.events),
                           bare[WORKLOAD])
    found.append(Part("clock interrupts",
                      boot.events.get("vm_exit_host_intr", 0), price))
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
