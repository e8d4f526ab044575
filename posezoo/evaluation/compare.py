"""Runs beside each other: which is best, or why their numbers cannot be ranked.

Two errors can be ranked if they average the same poses in the same way (data, protocol) with
the same ground-truth inputs (a lifter that is given true joints answers another question than one
that is given found ones), of people whom no run was trained on. Data are the same if the items are,
however they are written. How far two errors differ is estimated over the same sequences.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from posezoo.evaluation.bootstrap import Cells, paired
from posezoo.evaluation.evaluation_file import read_evaluation
from posezoo.evaluation.metric_table import METRICS, ranking_metric
from posezoo.evaluation.protocol import protocols
from posezoo.hints import naming
from posezoo.training.run_folder import RunFolder
from posezoo.typed_files import Count, decode


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One evaluation, as `posezoo train` and `posezoo eval --json` write it."""

    path: Path  # a run folder, or the file itself
    result: dict[str, Any]
    image_size: int | None = None  # px of the picture that the 2D error counts in, where known

    @property
    def protocol(self) -> str:
        """Its key and hash."""
        protocol = self.result["protocol"]
        return f"{protocol['key']} ({protocol['hash']})"

    @property
    def seen(self) -> tuple[str, ...]:
        """The people evaluated that it was trained on, as far as is known."""
        return tuple(self.result.get("seen_people") or ())

    def cells(self, metric: str) -> Cells | None:
        """That error by sequence; None where the file does not have it."""
        table = self.result.get("cells", {}).get(metric)
        return Cells.read(table) if table else None

    def interval(self, metric: str) -> tuple[float, float]:
        """The 95 % interval; nothing is known where the evaluation has none."""
        low, high = self.result.get("interval", {}).get(metric, (-math.inf, math.inf))
        return low, high


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """By how much a score is worse than the best, with the 95 % interval of that."""

    score: Score
    mean: float
    low: float  # infinite where nothing is known of it
    high: float

    @property
    def significant(self) -> bool:
        """Whether chance does not explain it: the interval leaves out 0."""
        return self.low > 0

    def to_dict(self) -> dict[str, Any]:
        """As `posezoo compare --json` prints it; null where there is no paired interval."""
        interval = None if math.isinf(self.low) else (self.low, self.high)
        return {
            "run": str(self.score.path),
            "mean": self.mean,
            "interval": interval,
            "significant": self.significant,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Scores, best first, or in the order in which they came where they cannot be ranked."""

    scores: tuple[Score, ...]
    metric: str  # "": none that all of them have
    obstacles: tuple[str, ...]  # sentences; none: ranked
    commands: tuple[str, ...]  # what makes the numbers comparable, where something does

    @property
    def differences(self) -> tuple[Difference, ...]:
        """How much worse each of the others is than the first."""
        best, *others = self.scores
        return tuple(_difference(best, each, self.metric) for each in others)

    def to_dict(self) -> dict[str, Any]:
        """As `posezoo compare --json` prints it."""
        return {
            "ranked": not self.obstacles,
            "metric": self.metric,
            "obstacles": self.obstacles,
            "commands": self.commands,
            "differences": [] if self.obstacles else [d.to_dict() for d in self.differences],
            "runs": [{"run": str(each.path), **each.result} for each in self.scores],
        }


def read_score(path: Path) -> Score:
    """The evaluation in a run folder, or in a file of `posezoo eval --json`.

    Raises:
        ValueError: there is none, or it is not one.
    """
    file = path / "eval.json" if path.is_dir() else path
    if not path.exists():
        raise ValueError(f"{path}: no run and no file of that name{RunFolder(path).nearby()}")
    if not file.is_file():
        raise ValueError(
            f"{path}: no evaluation there ({file.name} is missing). Finish the run with "
            "posezoo train --resume, or name a run folder or a file of posezoo eval --json"
        )
    return Score(path=path, result=read_evaluation(file), image_size=_image_size(path / "run.toml"))


def compare(scores: Sequence[Score]) -> Comparison:
    """Rank the scores by the first metric that all have, or say why they cannot be.

    Raises:
        ValueError: there are fewer than two.
    """
    if len(scores) < 2:
        raise ValueError("compare takes at least two runs: posezoo compare runs/one runs/two")
    metric = ranking_metric(*(score.result for score in scores)) or ""
    obstacles, again = [], False
    for score in scores:
        if score.seen:
            shown = ", ".join(score.seen[:_SHOWN]) + ", ..." * (len(score.seen) > _SHOWN)
            obstacles.append(
                f"{score.path.name} was trained on {len(score.seen)} of the people that it is "
                f"evaluated on ({shown}); evaluate it on others"
            )
    for what, differs in _FACTS.items():
        groups: dict[str, list[str]] = {}
        for score in scores:
            groups.setdefault(differs(score), []).append(score.path.name)
        if what == _DATA and all(score.result.get("items") for score in scores):
            groups = _by_items(scores)
        if len(groups) > 1:
            listed = "; ".join(f"{value}: {', '.join(names)}" for value, names in groups.items())
            obstacles.append(f"different {what}: {listed}")
            again |= what == "protocols" or (what == _DATA and len({*map(_data, scores)}) > 1)
    sizes = {score.image_size for score in scores}
    if metric and METRICS[metric].unit == "px" and len(sizes) > 1:
        listed = ", ".join(map(str, sizes))
        obstacles.append(f"2D errors in px of pictures of different sizes: {listed}")
    if not metric:
        obstacles.append("no error that all of them have: some predict no 3D, others no 2D")
    inputs = {_FACTS[_INPUTS](score) for score in scores}
    # No command makes numbers comparable that differ in what the pipelines are given.
    commands = _commands(scores) if again and len(inputs) == 1 else ()
    if not obstacles:
        scores = sorted(scores, key=lambda score: METRICS[metric].loss(score.result[metric]))
    return Comparison(
        scores=tuple(scores), metric=metric, obstacles=tuple(obstacles), commands=commands
    )


def _image_size(run: Path) -> int | None:
    if not run.is_file():
        return None
    return decode(run, _Run).settings.image_size


class _Settings(msgspec.Struct):
    image_size: Count


class _Run(msgspec.Struct):
    """run.toml, as far as it is read."""

    settings: _Settings


def _difference(best: Score, other: Score, metric: str) -> Difference:
    """Paired where both have their errors by sequence; else 0 to infinity if intervals overlap."""
    sign = -1 if METRICS[metric].higher_is_better else 1
    mean = sign * (other.result[metric] - best.result[metric])
    one, two = other.cells(metric), best.cells(metric)
    if one is None or two is None or other.result.get("items") != best.result.get("items"):
        apart = other.interval(metric)[0] > best.interval(metric)[1]
        return Difference(
            score=other, mean=mean, low=math.inf if apart else -math.inf, high=math.inf
        )
    with naming(other.path):
        low, high = sorted(sign * each for each in paired(one, two))
    return Difference(score=other, mean=mean, low=low, high=high)


def _by_items(scores: Sequence[Score]) -> dict[str, list[str]]:
    """The names of scores by what was evaluated: its words, and its hash where words are equal."""
    words = {score.result["items"]: _data(score) for score in scores}
    groups: dict[str, list[str]] = {}
    for score in scores:
        items = score.result["items"]
        alike = [*words.values()].count(words[items]) > 1
        said = f"{words[items]} (items {items})" if alike else words[items]
        groups.setdefault(said, []).append(score.path.name)
    return groups


def _data(score: Score) -> str:
    return f"{score.result['data']}, {score.result['samples']} poses"


_SHOWN = 5  # people that an obstacle names
_DATA = "data"
_INPUTS = "ground_truth_inputs"
_FACTS: dict[str, Callable[[Score], str]] = {
    "protocols": lambda score: score.protocol,
    _DATA: _data,
    "poses without an error": lambda score: str(len(score.result.get("not_finite", ()))),
    "averaging": lambda score: "with the mirror image" if score.result.get("flip") else "none",
    _INPUTS: lambda score: ", ".join(score.result.get("ground_truth_inputs", ())) or "not said",
}


def _commands(scores: Sequence[Score]) -> tuple[str, ...]:
    """What evaluates all of them as the first was, which itself may be of an older protocol."""
    reference = scores[0].result
    key, data = reference["protocol"]["key"], reference["data"]
    today = protocols().get(key)
    if today is None:
        key = "poses"
    commands, names = [], []
    for score in scores:
        same = score.protocol == scores[0].protocol and score.result["data"] == data
        if same and today and today.hash == reference["protocol"]["hash"]:
            names.append(str(score.path))
            continue
        run = str(score.path) if score.path.is_dir() else "RUN"
        names.append(f"{score.path.stem}-{key}.json")
        commands.append(
            f"posezoo eval {shlex.quote(run)} --data {shlex.quote(data)} --protocol {key} --json "
            f"> {shlex.quote(names[-1])}"
        )
    return (*commands, f"posezoo compare {shlex.join(names)}")
