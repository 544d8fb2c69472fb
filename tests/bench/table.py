# SPDX-License-Identifier: MIT
"""table.py - the table on a terminal, one line as soon as it is known."""
HEADS = ("what", "plain", "native", "stunnel4", "shim", "error", "pass mark", "goal", "verdict")
WIDTHS = (45, 12, 16, 13, 13, 12, 16, 16, 7)


def line(cells):
    return "  ".join(f"{cell:<{width}}" for cell, width in zip(cells, WIDTHS)).rstrip()


def marks_text(marks, which):
    """"≥ 0.95 (≤ 1.03)": the second mark, of CPU time, in parentheses."""
    texts = [mark.text()[which] for mark, _, _ in marks]
    return texts[0] + (f" ({texts[1]})" if len(texts) > 1 else "") if texts else ""


def head():
    print(line(HEADS))
    print(line(["-" * width for width in WIDTHS]), flush=True)


def row(result):
    cells = [result.cells.get(c, "–") for c in ("plain", "native", "stunnel", "shim")]
    marks = [marks_text(result.marks, 0), marks_text(result.marks, 1)]
    print(line([result.what, *cells, result.error, *marks, result.verdict()]), flush=True)
    for why in result.wrong:
        print(f"    WRONG: {why}", flush=True)


def last_line(results):
    verdicts = [r.verdict() for r in results]
    judged = [v for v in verdicts if v]
    words = {
        "goal": "at the goal",
        "pass": "pass",
        "below?": "below by less than the error",
        "below": "below",
        "WRONG": "wrong",
    }
    counts = ", ".join(f"{judged.count(verdict)} {text}" for verdict, text in words.items())
    print(f"\n{len(judged)} rows judged: {counts}")
