"""The trainings of a report, in a folder: each done once, by any number of processes.

trials/DIGEST-sN/   a run folder (posezoo.training.run_folder) for settings of that digest and
                    seed N, with cost.json and, at the end, seen.json: errors on people trained on
trials/DIGEST-sN.lock    held by the process that works on it
errors.json         the error model of a detector, for variants that draw errors
start.safetensors   the backbone that detectors start from, if the scale trains one
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from posezoo.assembly import build_dataset
from posezoo.evaluation.evaluation_file import read_evaluation
from posezoo.registry import NodeSpec, parse_node, parse_pipeline
from posezoo.report.definition import Report, Row
from posezoo.settings import Settings
from posezoo.training.run_folder import RunFolder
from posezoo.typed_files import decode
from posezoo.whole_files import write_atomically

POSES = 300  # that measurements look at


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One training: a variant with a seed."""

    row: Row
    variant: str
    seed: int
    settings: Settings
    run: RunFolder

    @property
    def done(self) -> bool:
        """Whether it has all its numbers."""
        return (self.run.path / "seen.json").is_file()

    @property
    def failure(self) -> str:
        """Why it has none and will have none; "" otherwise."""
        file = self.run.path / "failed.txt"
        return file.read_text(encoding="utf-8") if file.is_file() else ""

    @property
    def seen_data(self) -> NodeSpec:
        """The people trained on, each pose shown as test people are: once and unvaried."""
        node = parse_node(self.settings.data)
        people = build_dataset(node.with_params(split="train"), pictures=False).subjects
        return node.with_params(split="val", val="/".join(people))

    @property
    def commit(self) -> str:
        """Of the code that trained it."""
        return self.run.commit

    def records(self) -> list[dict[str, Any]]:
        """The lines of its log."""
        return self.run.records()

    def read(self, name: str) -> dict[str, Any]:
        """One of its JSON files: eval, seen, cost."""
        file = self.run.path / f"{name}.json"
        return read_evaluation(file) if name == "eval" else decode(file, dict[str, float], nan=True)

    def write(self, name: str, content: dict[str, Any]) -> None:
        """Keep a JSON file in its folder."""
        write_atomically(self.run.path / f"{name}.json", json.dumps(content).encode())


class Trials:
    """All trainings of a report in its folder."""

    def __init__(
        self, report: Report, folder: Path, *, device: str, weights: Path | None = None
    ) -> None:
        self.report, self.folder, self.device = report, folder, device
        self.errors = folder / "errors.json"
        self.start = None if weights else report.starting_detector(device=device)
        self.weights = folder / "start.safetensors" if self.start else weights

    def of(self, report: Report) -> Trials:
        """Trials of other rows in the same folder."""
        weights = None if self.start else self.weights
        return Trials(report, self.folder, device=self.device, weights=weights)

    def __iter__(self) -> Iterator[Trial]:
        """Every variant of every row with seed 0, then with seed 1, and so on."""
        for seed in range(self.report.seeds):
            for row in self.report.rows:
                for variant in row.variants:
                    yield self.trial(row, variant, seed)

    def trial(self, row: Row, variant: str, seed: int) -> Trial:
        """One of them."""
        settings = self.report.plan(row, variant, seed=seed, errors=self.errors, device=self.device)
        run = RunFolder(self.path(settings))
        return Trial(row=row, variant=variant, seed=seed, settings=settings, run=run)

    def weights_for(self, settings: Settings) -> Path | None:
        """What its backbone starts from: the scale's own backbone only, not others."""
        backbone = parse_pipeline(settings.pipeline).backbone
        scale = parse_node(self.report.words["backbone"])
        return self.weights if backbone and backbone.key == scale.key else None

    def path(self, settings: Settings) -> Path:
        """The run folder of those settings: the same for rows that train the same."""
        named = json.dumps(asdict(replace(settings, seed=0)), sort_keys=True)
        if weights := settings != self.start and self.weights_for(settings):
            named += str(self.start or weights.name)
        named = named.replace(str(self.errors), self.errors.name)  # wherever the folder stands
        digest = hashlib.sha256(named.encode()).hexdigest()[:12]
        return self.folder / "trials" / f"{digest}-s{settings.seed}"
