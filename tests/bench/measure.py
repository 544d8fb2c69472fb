# SPDX-License-Identifier: MIT
"""measure.py - rounds, medians and verdicts.

Every figure is a ratio of two contenders of the same round; the order is reversed every other
round. A row yields a Result: a cell for each column, the error bar (the same program twice), and
whether the marks are met.
"""
import dataclasses
import statistics

from arena import Wrong, contenders

COLUMNS = ("plain", "native", "stunnel", "shim")


@dataclasses.dataclass
class Mark:
    """What is asked of one number. unit is for people; more is whether more is better."""

    passing: float
    goal: float
    more: bool = True
    unit: str = ""

    def met(self, value, wanted, slack=0.0):
        value = round(value, 2)
        return value + slack >= wanted if self.more else value - slack <= wanted

    def text(self):
        sign = "≥" if self.more else "≤"
        return f"{sign} {self.passing:g}{self.unit}", f"{sign} {self.goal:g}{self.unit}"


@dataclasses.dataclass
class Result:
    """One line of the table."""

    what: str
    cells: dict
    error: str = ""
    marks: list = dataclasses.field(default_factory=list)  # (Mark, the shim's value, error bar)
    wrong: list = dataclasses.field(default_factory=list)

    def verdict(self):
        if self.wrong:
            return "WRONG"
        if not self.marks:
            return ""
        for word, wanted in (("goal", "goal"), ("pass", "passing")):
            if all(m.met(v, getattr(m, wanted)) for m, v, _ in self.marks):
                return word
        near = all(m.met(v, m.passing, slack) for m, v, slack in self.marks)
        return "below?" if near else "below"  # "?": the mark is within the error bar


class Series:
    """Figures of every contender, round by round; a contender that was wrong once is out."""

    def __init__(self, arena, names, rounds, run):
        self.rounds, self.wrong = [], []
        found = {k: c for k, c in contenders(arena).items() if k in names}
        for i in range(rounds):
            figures = {}
            for name in reversed(list(found)) if i % 2 else list(found):
                self.one(found, name, run, figures)
            self.rounds.append(figures)

    def one(self, found, name, run, figures):
        try:
            figures[name] = run(found[name])
        except Wrong as e:
            self.wrong.append(str(e))
            del found[name]
            for earlier in self.rounds:
                earlier.pop(name, None)

    def has(self, name):
        return name in self.rounds[-1]

    def ratio(self, over, under, key):
        """Median over the rounds of over's figure divided by under's."""
        return statistics.median(r[over][key] / r[under][key] for r in self.rounds)

    def error(self, key):
        return statistics.median(abs(r["again"][key] / r["native"][key] - 1) for r in self.rounds)

    def median(self, name, key):
        return statistics.median(r[name][key] for r in self.rounds)


def speed_text(per_second, unit):
    """1234567890 octets a second: "1.2 GB/s"."""
    if unit != "B":
        return f"{per_second:,.0f} {unit}/s"
    for prefix, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if per_second >= size:
            return f"{per_second / size:.1f} {prefix}B/s"
    return f"{per_second:.0f} B/s"


class Speed:
    """A workload whose figure is work per time, relative to native; CPU time in parentheses."""

    names = ("plain", "native", "stunnel", "shim", "again")

    def __init__(self, what, workload, marks, short, full, unit="B", place="near", rounds=None):
        self.what, self.workload = what, workload
        self.mark, self.cpu = (*marks, None)[:2]
        self.amounts = {"short": short, "full": full}
        self.unit, self.place, self.rounds = unit, place, rounds

    def measure(self, arena, mode):
        amounts = self.amounts[mode.name]
        if amounts is None:
            return Result(self.what, {"native": "full mode only"})
        rounds = min(mode.rounds, self.rounds or mode.rounds)
        workload = (*self.workload, *amounts)
        s = Series(arena, self.names, rounds, lambda c: c.run(workload, self.place))
        result = Result(self.what, {}, wrong=s.wrong)
        if not s.has("native") or not s.has("again"):
            return result
        error, cpu_error = s.error("wall"), s.error("cpu")
        result.error = f"±{error * 100:.0f}% (±{cpu_error * 100:.0f}%)"
        for name in COLUMNS:
            if s.has(name):
                result.cells[name] = self.cell(s, name)
        if s.has("shim"):
            result.marks.append((self.mark, s.ratio("native", "shim", "wall"), error))
            if self.cpu:
                result.marks.append((self.cpu, s.ratio("shim", "native", "cpu"), cpu_error))
        return result

    def cell(self, s, name):
        if name == "native":
            per_second = s.median(name, "amount") * 1e9 / s.median(name, "wall")
            return speed_text(per_second, self.unit)
        return f"{s.ratio('native', name, 'wall'):.2f} ({s.ratio(name, 'native', 'cpu'):.2f})"


class Custom:
    """A row with a measurement of its own: a function that returns a Result."""

    def __init__(self, what, function, *arguments):
        self.what, self.function, self.arguments = what, function, arguments

    def measure(self, arena, mode):
        try:
            return self.function(self.what, arena, mode, *self.arguments)
        except Wrong as e:
            return Result(self.what, {}, wrong=[str(e)])
