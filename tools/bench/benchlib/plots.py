# SPDX-License-Identifier: GPL-2.0-only
"""SVG plots, drawn by gnuplot."""
import os
import subprocess

from . import figure5, plan

_HEAD = """\
set terminal svg size {width},{height} dynamic background "white" font "sans,11"
set output "{path}"
set style data histograms
set style fill solid 0.9 border -1
set boxwidth 0.9
set grid ytics
set xtics rotate by -45 noenhanced
set key outside top horizontal noenhanced
set title "{title}" noenhanced
set ylabel "{label}"
$data << EOD
{data}
EOD
"""

# As many as a stack may have parts, none like another.
_COLOURS = "".join(f'set linetype {i} lc rgb "{colour}"\n' for i, colour in
                   enumerate(("#4477aa", "#ee6677", "#228833", "#ccbb44",
                              "#66ccee", "#aa3377", "#994455", "#004488",
                              "#997700", "#6699cc", "#eecc66", "#117733",
                              "#882255", "#bbbbbb", "#777777", "#333333"), 1))
# Parts below this share of the whole are not shown by themselves.
_SHOWN = 0.01


def _draw(path, title, label, header, rows, extra):
    """ROWS of (name, numbers); a missing number is None."""
    lines = ['"-" ' + " ".join(f'"{name}"' for name in header)]
    lines += [f'"{name}" ' + " ".join("?" if value is None else f"{value:.3f}"
                                      for value in values)
              for name, values in rows]
    script = _HEAD.format(width=max(640, 180 + 26 * len(rows)
                                    * max(2, len(header) // 2)),
                          height=480, path=path, title=title, label=label,
                          data="\n".join(lines))
    script += 'set datafile missing "?"\n' + extra
    columns = ", ".join(f"$data using {i + 2}"
                        + (":xtic(1)" if i == 0 else "")
                        + " title columnheader" for i in range(len(header)))
    script += f"plot {columns}\n"
    done = subprocess.run(["gnuplot"], input=script, text=True, check=False,
                          stderr=subprocess.PIPE)
    if done.returncode:
        raise OSError(f"gnuplot: {done.stderr}")


def _value(figures, op, runner):
    for figure in figures:
        if (figure.op, figure.runner) == (op, runner):
            return figure
    return None


def _ops(figures, names):
    have = {figure.op for figure in figures}
    return [name for name in names if name in have]


def _boot_overhead(figures, path, machine):
    """The Figure-5 stack: for each runner the parts beside what they are of."""
    for each in figure5.breakdowns(figures):
        shown = [part for part in each.parts
                 if part.total >= _SHOWN * each.measured]
        few = sum(part.total for part in each.parts if part not in shown)
        stack = [(part.name, part.total) for part in shown] \
            + [("all others", few), ("not accounted for", max(0, each.rest))]
        rows = [("by operation", [total / 1e6 for _, total in stack] + [0]),
                ("measured", [0] * len(stack) + [each.measured / 1e6])]
        _draw(path(f"boot-overhead-{each.runner}.svg"),
              f"A boot's overhead on {each.runner}, {machine}",
              "million instructions over bare",
              [*(name for name, _ in stack), "measured"], rows,
              "set style histogram rowstacked\nset yrange [0:*]\n"
              "set key outside right vertical\n" + _COLOURS)


def _growth(figures, path, machine):
    """Cost per unit against what there is more of but not used more."""
    runners = [name for name in plan.GROWTH_RUNNERS
               if any(figure.runner == name for figure in figures)]
    rows = []
    for op in plan.GROWTH:
        found = [_value(figures, op, runner) for runner in runners]
        if any(found):
            rows.append((op, [each.instructions
                              / (each.n if each.macro else 1)
                              if each else None for each in found]))
    if rows:
        _draw(path("growth.svg"), f"Cost against what is there, {machine}",
              "instructions an operation", runners, rows,
              "set logscale y\nset yrange [0.5:*]\n")


def draw(figures, directory, machine):
    """All plots into DIRECTORY; the paths."""
    runners = [name for name in plan.RUNNERS
               if any(figure.runner == name for figure in figures)]
    paths = []

    def path(name):
        paths.append(os.path.join(directory, name))
        return paths[-1]

    nano = _ops(figures, plan.NANO)
    if nano:
        rows = [(op, [max(0.5, figure.instructions) if figure else None
                      for figure in (_value(figures, op, runner)
                                     for runner in runners)]) for op in nano]
        _draw(path("nano.svg"), f"Nanobenchmarks, {machine}",
              "instructions an operation", runners, rows,
              "set logscale y\nset yrange [0.5:*]\n")
    macro = _ops(figures, plan.MACRO)
    if macro and plan.BARE in runners:
        rows = []
        for op in macro:
            bare = _value(figures, op, plan.BARE)
            rows.append((op, [figure.instructions / bare.instructions
                              if figure and bare else None
                              for figure in (_value(figures, op, runner)
                                             for runner in runners)]))
        _draw(path("macro.svg"), f"Workloads, {machine}",
              "instructions over the bare machine's", runners, rows,
              "set yrange [0:*]\n")
    for op in _ops(figures, plan.EXITS_OF):
        some = [figure for figure in (_value(figures, op, runner)
                                      for runner in runners)
                if figure and figure.events.get("vm_exits")]
        reasons = sorted({name for figure in some for name in figure.events
                          if name.startswith("exit_")})
        if some and reasons:
            rows = [(figure.runner, [figure.events.get(name, 0)
                                     for name in reasons]) for figure in some]
            _draw(path(f"exits-{op}.svg"), f"VM exits: {op}, {machine}",
                  "exits", [name[5:] for name in reasons], rows,
                  "set style histogram rowstacked\nset yrange [0:*]\n"
                  "set key outside right vertical\n")
    _boot_overhead(figures, path, machine)
    _growth(figures, path, machine)
    return paths
