# SPDX-License-Identifier: GPL-2.0-only
"""The tables of `make bench`, as reStructuredText."""
from . import figure5, model, plan


def _table(header, rows):
    """An RST simple table of strings; the first column to the left."""
    widths = [max(len(row[i]) for row in [header, *rows])
              for i in range(len(header))]
    rule = "  ".join("=" * width for width in widths)

    def line(row):
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width)
                  for cell, width in zip(row[1:], widths[1:])]
        return "  ".join(cells).rstrip()
    return "\n".join([rule, line(header), rule, *map(line, rows), rule])


def _number(value):
    if value is None:
        return "-"
    if value == 0:
        return "0"
    return f"{value:,.1f}" if value < 10 and value != int(value) \
        else f"{value:,.0f}"


def _by_op(figures, macro):
    """{op: {runner: Figure}} in plan's order."""
    found = {}
    for op in plan.MACRO if macro else plan.NANO:
        cells = {figure.runner: figure for figure in figures
                 if figure.op == op and figure.macro == macro}
        if cells:
            found[op] = cells
    return found


def _runners(figures):
    have = {figure.runner for figure in figures}
    return [name for name in plan.RUNNERS if name in have]


def nano(figures):
    runners = _runners(figures)
    rows = [[op, *(_number(cells[runner].instructions)
                   if runner in cells else "-" for runner in runners)]
            for op, cells in _by_op(figures, False).items()]
    return _table(["operation", *runners], rows) if rows else ""


def macro(figures):
    runners = _runners(figures)
    rows = []
    for op, cells in _by_op(figures, True).items():
        bare = cells.get(plan.BARE)
        count = next(iter(cells.values())).n
        row = [f"{op} x {count}" if count > 1 else op]
        for runner in runners:
            if runner not in cells:
                row.append("-")
                continue
            value = cells[runner].instructions
            text = f"{value / 1e6:,.1f}"
            if bare and runner != plan.BARE:
                text += f" ({value / bare.instructions:.2f})"
            row.append(text)
        rows.append(row)
    return _table(["million instructions (over bare)", *runners], rows) \
        if rows else ""


def exits(figures):
    """VM exits of the macro workloads, by reason."""
    parts = []
    for op, cells in _by_op(figures, True).items():
        if op not in plan.EXITS_OF:
            continue
        runners = [name for name in plan.RUNNERS
                   if name in cells and cells[name].events.get("vm_exits")]
        if not runners:
            continue
        reasons = sorted({name for runner in runners
                          for name in cells[runner].events
                          if name.startswith("exit_")},
                         key=lambda name: -max(
                             cells[runner].events.get(name, 0)
                             for runner in runners))
        rows = [[name[5:], *(_number(cells[runner].events.get(name, 0))
                             for runner in runners)] for name in reasons]
        rows.append(["all", *(_number(sum(
            cells[runner].events.get(name, 0) for name in reasons))
            for runner in runners)])
        parts.append(_table([f"exits: {op}", *runners], rows))
    return "\n\n".join(parts)


def projection(figures, profiles):
    """Cycles by the cost model, a column for each runner and profile."""
    runners = _runners(figures)
    parts = []
    for name, profile in profiles.items():
        rows = []
        for macros in (False, True):
            for op, cells in _by_op(figures, macros).items():
                # A whole workload in millions of cycles.
                scale = 1e6 if macros else 1
                rows.append([op + (" (millions)" if macros else ""), *(
                    _number(model.cycles(cells[runner], profile) / scale)
                    if runner in cells else "-" for runner in runners)])
        if rows:
            parts.append(_table([f"cycles, profile {name}", *runners], rows))
    return "\n\n".join(parts)


def against_paper(figures):
    """The P4 profile beside the paper's figures, and why they differ."""
    found = model.against_paper(figures)
    if not found:
        return ""
    reasons = list(dict.fromkeys(row[5] for row in found if row[5]))
    rows = [[f"{op} {runner}", _number(ours), _number(theirs),
             f"{ratio:.2f}", f"[{reasons.index(why) + 1}]_" if why else ""]
            for op, runner, ours, theirs, ratio, why in found]
    notes = "\n".join(f".. [{i}] {why}."
                      for i, why in enumerate(reasons, 1))
    return _table(["cycles, P4 672", "projected", "the paper's", "ratio", ""],
                  rows) + "\n\n" + notes


def boot_overhead(figures):
    """Figure 5: what a boot's overhead is made of, and whether it adds up."""
    parts = []
    for found in figure5.breakdowns(figures):
        whole = found.measured or 1
        rows = [[part.name, _number(part.count), _number(part.cost),
                 f"{part.total / 1e6:,.1f}", f"{100 * part.total / whole:.1f}"]
                for part in found.parts]
        rows.append(["not accounted for", "", "", f"{found.rest / 1e6:,.1f}",
                     f"{100 * found.rest / whole:.1f}"])
        rows.append(["measured overhead", "", "", f"{whole / 1e6:,.1f}",
                     "adds up" if found.adds_up else "does not add up"])
        parts.append(_table([f"boot on {found.runner}", "events",
                             "instructions each", "millions", "percent"],
                            rows))
    return "\n\n".join(parts)


def translated(figures):
    """What share of a BT run is translated code, and what it grew by."""
    rows = []
    for op, cells in _by_op(figures, True).items():
        bare, here = cells.get(plan.BARE), cells.get("tandem-bt")
        if not bare or not here or "ring1_instructions" not in here.events:
            continue
        inside = here.events["ring1_instructions"]
        rows.append([op, _number(bare.instructions / 1e6),
                     _number(here.instructions / 1e6), _number(inside / 1e6),
                     _number(here.events.get("vm_bt_insns", 0)),
                     _number(here.events.get("vm_bt_callouts", 0))])
    return _table(["million instructions, tandem-bt", "bare", "all",
                   "translated code", "translated (insns)", "callouts"],
                  rows) if rows else ""


def growth(figures):
    """Cost per unit of work against what is not touched by it."""
    runners = [name for name in _runners(figures)
               if name in plan.GROWTH_RUNNERS]
    have = {(figure.op, figure.runner): figure for figure in figures}
    rows = []
    for op, text in plan.GROWTH.items():
        cells = [have.get((op, runner)) for runner in runners]
        if any(cells):
            rows.append([text, *(_number(cell.instructions
                                         / (cell.n if cell.macro else 1))
                                 if cell else "-" for cell in cells)])
    return _table(["instructions for", *runners], rows) if rows else ""


def aims(figures):
    """Each aim with what was reached."""
    have = {(figure.op, figure.runner): figure for figure in figures}
    rows = []
    for (op, runner), aim in plan.AIMS.items():
        here, bare = have.get((op, runner)), have.get((op, plan.BARE))
        if here and bare:
            value = here.instructions - bare.instructions
            rows.append([f"{op} {runner} - bare", _number(aim),
                         _number(value), "met" if value <= aim else "missed"])
    for (op, runner), (other, factor) in plan.RATIO_AIMS.items():
        if (op, runner) in have and (op, other) in have:
            value = have[op, runner].instructions \
                / have[op, other].instructions
            rows.append([f"{op} {runner} / {other}", f"{factor:.2f}",
                         f"{value:.2f}", "met" if value <= factor
                         else "missed"])
    return _table(["aim", "at most", "reached", ""], rows) if rows else ""


def best(figures):
    """How the best of ours compares with the best of KVM's modes, by row."""
    behind, even, count = [], 0, 0
    for macros in (False, True):
        for op, cells in _by_op(figures, macros).items():
            ours = [cells[name].instructions for name in plan.OURS
                    if name in cells]
            theirs = [cells[name].instructions for name in plan.THEIRS
                      if name in cells]
            if not ours or not theirs:
                continue
            count += 1
            if abs(min(ours) - min(theirs)) <= 1:
                even += 1       # nothing of a monitor is in either
            elif min(ours) > min(theirs):
                behind.append(f"{op} ({_number(min(ours))} / "
                              f"{_number(min(theirs))})")
    if not count:
        return ""
    return (f"Best Tandem engine against best KVM mode, {count} rows: below "
            f"in {count - even - len(behind)}, equal in {even} (no monitor's "
            f"work in either), above in {len(behind)}"
            f"{': ' + ', '.join(behind) if behind else ''}.")


def missing(absent):
    """What was not measured, and why: one line a runner and reason."""
    groups = {}
    for item in absent:
        if item.op not in plan.OVERHEAD.values():
            groups.setdefault((item.runner, item.why), []).append(item.op)
    return "\n".join(f"not available: {runner}: {', '.join(ops)}: {why}"
                     for (runner, why), ops in groups.items())
