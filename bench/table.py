"""The table that a benchmark ends with: aligned for a terminal, Markdown and JSON for later."""

import json
import os

HEADINGS = ("what", "ours", "peer", "ratio", "bar", "verdict", "others' CPU")


class Row:
    """One comparison. `bar` is the largest ratio allowed, or with at_least=True the smallest; None: the
    row informs. Figures are numbers; `unit` stands behind them."""

    def __init__(self, what, ours, peer=None, *, unit="", bar=None, at_least=False, ratio=None,
                 others=0.0, noisy=False, aim=None, detail=None):
        self.what, self.ours, self.peer, self.unit = what, ours, peer, unit
        self.ratio = ratio if ratio is not None else (ours / peer if peer else None)
        self.bar, self.at_least, self.aim = bar, at_least, aim
        self.others, self.noisy = others, noisy
        self.detail = detail or {}

    @property
    def passed(self):
        """None: nothing to pass."""
        if self.bar is None:
            return None
        return self.ratio >= self.bar if self.at_least else self.ratio <= self.bar

    @property
    def verdict(self):
        if self.passed is None:
            return "noisy" if self.noisy else ""
        text = "pass" if self.passed else "FAIL"
        return f"noisy: {text}" if self.noisy else text

    def cells(self):
        def figure(value):
            return "" if value is None else f"{value:,.4g} {self.unit}".strip() if value < 1000 \
                else f"{value:,.0f} {self.unit}".strip()

        bar = "" if self.bar is None else f"{'>=' if self.at_least else '<='} {self.bar:g}"
        if self.aim:
            bar += f" (aim {self.aim})"
        return (self.what, figure(self.ours), figure(self.peer),
                "" if self.ratio is None else f"{self.ratio:.2f}", bar, self.verdict,
                f"{100 * self.others:.0f} %")

    def as_dict(self):
        return {"what": self.what, "ours": self.ours, "peer": self.peer, "unit": self.unit,
                "ratio": self.ratio, "bar": self.bar, "at_least": self.at_least,
                "verdict": self.verdict, "others_cpu": round(self.others, 3), **self.detail}


def aligned(rows):
    lines = [HEADINGS] + [row.cells() for row in rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEADINGS))]
    text = []
    for number, line in enumerate(lines):
        cells = [cell.ljust(width) if i == 0 or i >= 4 else cell.rjust(width)
                 for i, (cell, width) in enumerate(zip(line, widths))]
        text.append("  ".join(cells).rstrip())
        if number == 0:
            text.append("  ".join("-" * width for width in widths))
    return "\n".join(text)


def markdown(rows, facts, notes):
    lines = ["| " + " | ".join(cells) + " |" for cells in [HEADINGS] + [row.cells() for row in rows]]
    lines.insert(1, "|" + "---|" * len(HEADINGS))
    said = [f"* {name}: {value}" for name, value in facts.items()] + [f"* {note}" for note in notes]
    return "\n".join(lines) + "\n\n" + "\n".join(said) + "\n"


def write(folder, name, rows, facts, notes):
    """Write NAME.md and NAME.json; returns the path of the first."""
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, name)
    with open(path + ".md", "w", encoding="utf-8") as file:
        file.write(markdown(rows, facts, notes))
    with open(path + ".json", "w", encoding="utf-8") as file:
        json.dump({"machine": facts, "notes": notes, "rows": [row.as_dict() for row in rows]}, file,
                  indent=1)
    return path + ".md"
