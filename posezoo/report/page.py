"""A report as a page: what was claimed, what was found, and what explains it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date

from posezoo.evaluation.metric_table import COMPARED
from posezoo.hints import in_markdown
from posezoo.registry import parse_node
from posezoo.report.definition import Row
from posezoo.report.explained import Measurement, explain
from posezoo.report.plots import draw_all
from posezoo.report.table import Line, metric, read_lines, to_csv
from posezoo.report.trials import Trials
from posezoo.report.verdict import Verdict, judge, spread
from posezoo.training.run_folder import environment
from posezoo.whole_files import write_atomically

FILES = ("README.md", "table.csv", "report.json")


def write_page(trials: Trials) -> str:
    """Write `FILES` and the figures into the report's folder; returns the summary's lines."""
    table = [(row, read_lines(trials, row)) for row in trials.report.rows]
    verdicts = {row.key: judge(row, _errors(lines)) for row, lines in table}
    measured = {row.key: explain(trials, row) for row, _ in table if row.measure}
    pictures = draw_all(trials)
    summary = _summary(table, verdicts)
    text = "\n".join(
        [
            *_head(trials),
            "## Summary",
            "",
            *summary,
            "",
            *(f"![{name}]({file})" for name, file in pictures.items()),
            "",
            *(
                line
                for row, lines in table
                for line in _section(trials, row, lines, verdicts[row.key], measured.get(row.key))
            ),
        ]
    )
    kept = {
        "scale": trials.report.scale,
        "data": plain_data(trials.report.data),
        "seeds": trials.report.seeds,
        "environment": environment(),
        "verdicts": {key: verdict.answer for key, verdict in verdicts.items()},
        "measured": {key: each.to_dict() for key, each in measured.items()},
    }
    contents = (text, to_csv(table), json.dumps(kept, indent=1) + "\n")
    for name, content in zip(FILES, contents, strict=True):
        write_atomically(trials.folder / name, content.encode())
    return "\n".join(summary)


def _errors(lines: Sequence[Line]) -> dict[str, tuple[float, ...]]:
    name = metric(lines)
    return {line.variant: line.errors[name] for line in lines if name in line.errors}


def _head(trials: Trials) -> list[str]:
    report, where = trials.report, environment()
    commits = sorted({trial.commit for trial in trials if trial.done and trial.commit})
    versions = where["versions"]
    machine = where["gpu"] or f"{where['processor']}, one process a core"
    data = in_markdown(plain_data(report.data))
    again = f"posezoo report --scale {report.scale} --data {data}"
    return [
        "# The source report, reproduced",
        "",
        f"Written by `{again}` on {date.today()}; do not edit.",
        "",
        f"- scale: {report.scale}, {report.summary}",
        f"- data: `{data}`; errors are of its `val` people, whom no training saw",
        *_start(trials),
        f"- seeds: {report.seeds}; ± is the standard deviation over them",
        f"- commits: {', '.join(commit[:7] for commit in commits) or 'none'}; "
        f"torch {versions.get('torch', '?')}, {machine}",
        "- gap: the error on people never seen less that on people trained on",
        "- MB: of a training step; on a CPU counted: weights, gradients, optimiser, and what the "
        "backward pass needs. items/s: pictures (bare lifters: poses) a second of training, on a "
        "CPU of one core's time, loading not included",
        "- A claim is judged where its two variants are two standard errors apart, by the spread "
        "that the variants of a row have in common. `not significant` is neither yes nor no.",
        "",
    ]


def _start(trials: Trials) -> list[str]:
    """Where the networks of the scale's backbone start, one line or none."""
    if trials.weights is None:
        return []
    where = f"`{in_markdown(trials.weights.name)}`"
    if trials.start:
        left_out = parse_node(trials.start.data).params["without"]
        where = (
            f"that of `{trials.start.pipeline}` after {trials.start.steps} steps on the people "
            f"trained on, without {in_markdown(str(left_out).replace('/', ', '))}"
        )
    return [f"- start: the backbone `{trials.report.words['backbone']}` is at first {where}"]


def _summary(
    table: Sequence[tuple[Row, Sequence[Line]]], verdicts: dict[str, Verdict]
) -> list[str]:
    lines = ["| section | the report | here | |", "|---|---|---|---|"]
    for row, _ in table:
        verdict = verdicts[row.key]
        lines.append(f"| {row.section} | {row.claim} | {verdict.answer} | {verdict.reason} |")
    return lines


def _section(
    trials: Trials,
    row: Row,
    lines: Sequence[Line],
    verdict: Verdict,
    measured: Measurement | None,
) -> list[str]:
    name = metric(lines)
    names = [each for each in COMPARED if any(each in line.errors for line in lines)]
    names.sort(key=lambda each: each != name)
    base = trials.report.bases[row.base]
    out = [f"## {row.key}", "", f"Section {row.section}: {row.claim}", ""]
    out += [f"Base: {base['summary']}.", ""]
    headings = ["variant", *(COMPARED[each] for each in names), "gap", "MB", "items/s", ""]
    out += _rows(headings, [_cells(line, names, name) for line in lines])
    reason = f": {verdict.reason}" if verdict.reason else ""
    out += ["", f"**{verdict.answer}**{reason}.", ""]
    if row.cure and all(each in _errors(lines) for each in row.cure):
        cured, ill = row.cure
        errors = _errors(lines)
        noise = spread(errors)
        doubt = "" if noise is None else f" (spread over seeds {noise:.2f})"
        before, after = (sum(errors[each]) / len(errors[each]) for each in (ill, cured))
        unit = COMPARED[name]
        out += [
            f"Cure, on people never seen: `{cured}` has {after:.2f} {unit} where `{ill}` has "
            f"{before:.2f}{doubt}.",
            "",
        ]
    if measured:
        out += [measured.experiment.about, "", *_rows(measured.headings, measured.lines), ""]
    return out


def _cells(line: Line, names: Sequence[str], main: str) -> list[str]:
    if not line.errors:
        return [line.variant, *[""] * (len(names) + 3), line.note]
    cells = []
    for name in names:
        values = line.errors.get(name, ())
        noise = spread({"": values}) if len(values) > 1 else None
        mean = f"{line.mean(name):.2f}" if values else ""
        cells.append(mean if noise is None else f"{mean} ± {_deviation(values):.2f}")
    gap = f"{line.gap(main):.2f}" if main in line.errors else ""
    return [
        line.variant,
        *cells,
        gap,
        f"{line.memory_mb:.0f}",
        f"{line.items_per_s:.0f}",
        line.note,
    ]


def _deviation(values: Sequence[float]) -> float:
    mean = sum(values) / len(values)
    return float((sum((v - mean) ** 2 for v in values) / (len(values) - 1)) ** 0.5)


def _rows(headings: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    marks = ["---"] * len(headings)
    rows = [[*map(in_markdown, cells)] for cells in (headings, marks, *lines)]
    return ["| " + " | ".join(cells) + " |" for cells in rows]


def plain_data(data: str) -> str:
    """The data without the folders of this machine."""
    node = parse_node(data)
    names = {
        name: value.rstrip("/").rpartition("/")[2]
        for name, value in node.params.items()
        if isinstance(value, str) and "/" in value and name in ("path", "cameras")
    }
    return str(node.with_params(**names))
