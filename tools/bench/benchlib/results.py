# SPDX-License-Identifier: GPL-2.0-only
"""From totals to figures per operation, and the file build/bench.json."""
import json
from dataclasses import dataclass

from . import plan

# Not events: what the instructions column says already.
_NO_EVENTS = {"instructions", "ticks", "guest_instructions"}


@dataclass
class Figure:
    """A row of bench.json."""
    op: str
    runner: str
    instructions: float     # an operation, overhead subtracted; macro: all
    events: dict            # an operation; macro: all
    n: int
    macro: bool
    guest: float            # of the instructions, the guest's own


def _overheads(rows):
    """{(runner, kind): instructions of the loop itself}.

    Of the bare machine, which all but emulators share.
    """
    found = {}
    for row in rows:
        for kind, op in plan.OVERHEAD.items():
            if row.op == op and (row.runner == plan.BARE
                                 or plan.RUNNERS[row.runner].qemu):
                found[row.runner, kind] = row.counts["instructions"] / row.n
    return found


def figures(rows):
    overheads = _overheads(rows)
    found = []
    for row in rows:
        if row.op in plan.OVERHEAD.values():
            continue
        macro = row.kind == "macro"
        n = 1 if macro else row.n
        runner = row.runner if plan.RUNNERS[row.runner].qemu else plan.BARE
        overhead = 0 if macro else overheads.get((runner, row.kind), 0)
        if row.kind == "timed" and row.op.startswith("ptemod"):
            overhead /= plan.BATCH
        events = {name: count / n for name, count in row.counts.items()
                  if name not in _NO_EVENTS}
        if macro and "guest_instructions" in row.counts:
            events["guest_instructions"] = row.counts["guest_instructions"]
        # "vm_exits" is the emulator's.
        events.update({f"vm_{name}": value for name, value
                       in row.stats.items() if name != "exits"})
        found.append(Figure(
            row.op, row.runner,
            max(0, row.counts["instructions"] / n - overhead), events, row.n,
            macro, row.counts.get("guest_instructions", 0) / n))
    return found


def _tidy(value):
    return int(value) if value == int(value) else round(value, 3)


def write(path, found, commit, machine, kernel):
    rows = [{"op": figure.op, "runner": figure.runner,
             "instructions": _tidy(figure.instructions),
             "events": {name: _tidy(count) for name, count
                        in sorted(figure.events.items())},
             "machine": machine, "kernel": kernel, "n": figure.n}
            for figure in found]
    with open(path, "w", encoding="ascii") as out:
        json.dump({"commit": commit, "rows": rows}, out, indent=1)
        out.write("\n")


def _read_one(path):
    with open(path, encoding="ascii") as data:
        saved = json.load(data)
    return saved["commit"], {(row["op"], row["runner"]): row
                             for row in saved["rows"]}


def read(paths):
    """(figures, commit, machine) of files that write() made.

    Rows of later ones take the place of earlier ones'; the commit says so.
    """
    commit, rows = _read_one(paths[0])
    for path in paths[1:]:
        other, more = _read_one(path)
        runners = sorted({runner for _, runner in more} - {plan.BARE})
        if other != commit:
            commit += f" ({', '.join(runners)}: {other})"
        rows.update(more)
    found = [Figure(row["op"], row["runner"], row["instructions"],
                    row["events"], row["n"], row["op"] in plan.ALL_MACRO, 0)
             for row in rows.values()]
    machines = {row["machine"] for row in rows.values()}
    return found, commit, ", ".join(sorted(machines))
