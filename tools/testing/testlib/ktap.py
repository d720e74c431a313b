# SPDX-License-Identifier: GPL-2.0-only
"""KTAP: written by the runners, read and summed by the test driver."""
import re
import sys

_LINE = re.compile(r"^\s*(not )?ok\b\s*(\d+)?\s*-?\s*(.*)$")
_RUN = re.compile(r"^#\s+RUN\s+(\S+)")
_DIRECTIVE = re.compile(r"\s#\s*(SKIP|TODO)\b:?\s*(.*)$", re.I)


class Writer:
    """Prints one result a call, in order; the plan comes at the end."""

    def __init__(self, out=sys.stdout):
        self.out = out
        self.count = 0
        self.failed = 0
        print("KTAP version 1", file=out, flush=True)

    def _line(self, ok, name, tail=""):
        self.count += 1
        name = name.replace("#", "no.")
        print(f"{'ok' if ok else 'not ok'} {self.count} {name}{tail}",
              file=self.out, flush=True)

    def diag(self, text):
        for line in str(text).splitlines():
            print(f"# {line}", file=self.out)
        self.out.flush()

    def ok(self, name):
        self._line(True, name)

    def fail(self, name, why=""):
        self.failed += 1
        self._line(False, name)
        if why:
            self.diag(why)

    def skip(self, name, why):
        self._line(True, name, f" # SKIP {why}")

    def todo(self, name, why):
        """A known failure, with its reason."""
        self._line(False, name, f" # TODO {why}")

    def done(self):
        """Closes the list; gives the exit status."""
        print(f"1..{self.count}", file=self.out, flush=True)
        return 1 if self.failed or not self.count else 0


class Result:
    """One result read: status is pass, fail, skip or todo."""

    def __init__(self, name, status, reason=""):
        self.name = name
        self.status = status
        self.reason = reason


def parse(text, nested=False):
    """Results in text, in order. Nested lists (indented lines) count only
    when asked for, and then instead of their parent's line."""
    results = []
    children = []
    running = ""
    for line in text.splitlines():
        # The harness does not name a test that it skips but here.
        match = _RUN.match(line)
        if match:
            running = match.group(1)
        match = _LINE.match(line)
        if not match:
            continue
        indented = line[:1] in " \t"
        if indented and not nested:
            continue
        name = match.group(3)
        status = "fail" if match.group(1) else "pass"
        reason = ""
        directive = _DIRECTIVE.search(" " + name)
        if directive:
            reason = directive.group(2)
            name = (" " + name)[:directive.start()].strip()
            name = name or running
            status = "skip" if directive.group(1).upper() == "SKIP" else "todo"
        result = Result(name, status, reason)
        if indented:
            children.append(result)
        elif children:
            results += children
            if status == "fail" and not any(c.status == "fail"
                                            for c in children):
                results.append(result)
            children = []
        else:
            results.append(result)
    return results + children


def planned(text):
    """The number of results the top-level plan promises, None without one."""
    plans = re.findall(r"^1\.\.(\d+)", text, re.M)
    return sum(map(int, plans)) if plans else None
