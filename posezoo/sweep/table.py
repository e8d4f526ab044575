"""A study as one table: markdown, CSV and HTML, with mean and spread over the seeds."""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Sequence

from posezoo.evaluation.metric_table import COMPARED, METRICS
from posezoo.hints import in_markdown
from posezoo.sweep.plots import draw
from posezoo.sweep.results import Row, metric_of, ranked, read_rows
from posezoo.sweep.study import Study
from posezoo.whole_files import write_atomically

_FILES = ("table.md", "table.csv", "table.html", "plot.png")

_WORSE = "worse than the best, 95 % over sequences"


def write_report(study: Study) -> str:
    """Write `_FILES` into the study's folder; returns the markdown."""
    with study.lock:
        rows = read_rows(study)
        markdown = _markdown(study, rows)
        contents = (markdown, _csv(rows), _html(study, rows))
        for name, text in zip(_FILES[:3], contents, strict=True):
            write_atomically(study.folder / name, text.encode())
        if metric := metric_of(rows):
            draw(study.sweep.axes, rows, metric, METRICS[metric].label, study.folder / _FILES[3])
    return markdown


def _cells(rows: Sequence[Row]) -> tuple[list[str], list[list[str]]]:
    """Headings, and a line of text for each row."""
    names = [name for name in COMPARED if any(name in row.errors for row in rows)]
    axes = [*rows[0].point] if rows else []
    lines = []
    for row in rows:
        errors = []
        for name in names:
            mean = f"{row.mean(name):.2f}" if name in row.errors else ""
            spread = row.spread(name) if name in row.errors else None
            errors.append(mean if spread is None else f"{mean} ± {spread:.2f}")
        lines.append([str(row.number), *row.point.values(), *errors, _worse(rows, row), row.note])
    return ["trial", *axes, *(COMPARED[name] for name in names), _WORSE, ""], lines


def _worse(rows: Sequence[Row], row: Row) -> str:
    """By how much a trial is worse than the best, in words; "" where that is not known."""
    order, metric = ranked(rows), metric_of(rows)
    if metric is None or row not in order or row is order[0]:
        return ""
    interval = row.worse_than(order[0], metric)
    if interval is None:
        return ""
    low, high = interval
    return f"{low:.2f} to {high:.2f}" + (": not significant" if low <= 0 else "")


def _words(study: Study, rows: Sequence[Row]) -> list[str]:
    """What must be said beside the table."""
    sweep = study.sweep
    words = [
        f"{sweep.pipeline}, {sweep.seeds} seed{'s' * (sweep.seeds > 1)} a trial"
        + (": mean ± standard deviation over them." if sweep.seeds > 1 else ".")
    ]
    if order := ranked(rows):
        first, *others = order
        point = ", ".join(f"{name}={value}" for name, value in first.point.items())
        words.append(f"Best: trial {first.number} ({point}).")
        near = [str(row.number) for row in others if _near(first, row, metric_of(rows) or "")]
        if near:
            words.append(f"Within the spread over seeds of it: trial {', '.join(near)}.")
    if left := study.unfinished:
        words.append(f"{left} of {sweep.count} trials are not finished.")
    return words


def _near(first: Row, other: Row, metric: str) -> bool:
    """Whether two means are nearer to each other than the wider of their spreads."""
    spread = max(first.spread(metric) or 0.0, other.spread(metric) or 0.0)
    return other.mean(metric) - first.mean(metric) < spread


def _markdown(study: Study, rows: Sequence[Row]) -> str:
    headings, lines = _cells(rows)
    table = [headings, ["---"] * len(headings), *lines]
    text = ["| " + " | ".join(map(in_markdown, line)) + " |" for line in table]
    return "\n".join([*text, "", *map(in_markdown, _words(study, rows)), ""])


def _csv(rows: Sequence[Row]) -> str:
    """One line a seed, all digits; one without a seed for a trial that has no numbers."""
    names = [name for name in COMPARED if any(name in row.errors for row in rows)]
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["trial", *(rows[0].point if rows else ()), "seed", *names, "note"])
    for row in rows:
        seeds = max((len(values) for values in row.errors.values()), default=0)
        for seed in range(seeds):
            errors = [row.errors[name][seed] if name in row.errors else "" for name in names]
            writer.writerow([row.number, *row.point.values(), seed, *errors, row.note])
        if not seeds:
            writer.writerow([row.number, *row.point.values(), "", *("" for _ in names), row.note])
    return file.getvalue()


def _html(study: Study, rows: Sequence[Row]) -> str:
    headings, lines = _cells(rows)

    def line(tag: str, cells: Sequence[str]) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"

    parts = [
        '<!doctype html><meta charset="utf-8">',
        f"<title>{html.escape(study.sweep.pipeline)}</title>",
        "<style>body{font-family:sans-serif}td,th{padding:2px 10px;text-align:right}</style>",
        "<table>",
        line("th", headings),
        *(line("td", cells) for cells in lines),
        "</table>",
        *(f"<p>{html.escape(words)}</p>" for words in _words(study, rows)),
        f'<img src="{_FILES[3]}" alt="error over each setting">',
    ]
    return "\n".join([*parts, ""])
