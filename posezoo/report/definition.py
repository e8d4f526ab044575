"""Reads `rows.toml`: rows, their variants, and the settings of each at a scale."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from posezoo import registry
from posezoo.assembly import build_dataset
from posezoo.hints import unknown
from posezoo.registry import NodeSpec, parse_node, parse_pipeline
from posezoo.settings import Settings
from posezoo.training.runs import plan

_SPECS = ("base", "pipeline", "strategy", "preset")
_FEW = 4  # people of those that "{few}" leaves to train on


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One claim of the source report, and what tests it."""

    key: str
    section: str  # of the report
    claim: str  # in our words
    base: str
    variants: Mapping[str, Mapping[str, Any]]
    better: tuple[tuple[str, str], ...] = ()  # the report: the first is better than the second
    no_better: tuple[tuple[str, str], ...] = ()  # the report: the first is not better
    cure: tuple[str, str] | None = None  # our switch, and the variant that it cures
    measure: str = ""  # a file of `measurements`

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """All that the report says of two variants."""
        return self.better + self.no_better


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All rows at one scale, on one dataset."""

    scale: str
    summary: str
    data: str
    seeds: int
    rows: tuple[Row, ...]
    bases: Mapping[str, Mapping[str, Any]]
    overrides: Mapping[str, Mapping[str, Any]]  # settings of this scale by base, and of "all"
    words: Mapping[str, str]  # what stands for {curly} words, but for {errors} and parts of steps

    def plan(self, row: Row, variant: str, *, seed: int, errors: Path, device: str) -> Settings:
        """The settings of one training, as `posezoo train` would resolve them.

        Raises:
            ValueError: settings that do not exist or cannot be.
        """
        own = row.variants[variant]
        base_name = own.get("base", row.base)
        base = self.bases[base_name]
        specs = {name: own.get(name, base[name]) for name in _SPECS[1:]}
        changes = {
            **base.get("settings", {}),
            **self.overrides.get("all", {}),
            **self.overrides.get(base_name, {}),
        }
        steps = int(changes["steps"])
        changes |= {name: value for name, value in own.items() if name not in _SPECS}
        changes["seed"] = seed
        words = {
            **self.words,
            "errors": str(errors),
            "quarter": str(max(1, steps // 4)),
            "tenth": str(max(1, steps // 10)),
            "twice": str(2 * steps),
        }
        pipeline = parse_pipeline(str(specs["pipeline"]).format(**words))
        offered = {
            name: _text(value).format(**words)
            for name, value in changes.items()
            if _has_part(name, pipeline.nodes)
        }
        _, settings, _ = plan(
            pipeline=pipeline,
            strategy=parse_node(str(specs["strategy"]).format(**words)),
            data=self._data(offered),
            preset=str(specs["preset"]),
            changes={name: value for name, value in offered.items() if name[:5] != "data."},
            out=Path("unused"),
            device=device,
        )
        return settings

    def detector_for_errors(self, *, device: str) -> Settings:
        """The detector of base "chain", trained without a quarter of its people.

        What it predicts on those is what a detector does on strangers. Test people have no part.
        """
        apart = {"data.val": "{fit}", "data.without": "{test}"}
        row = Row(
            key="errors",
            section="",
            claim="",
            base="heatmap",
            variants={"": {**apart, **self._chain_steps()}},
        )
        return self.plan(row, "", seed=0, errors=Path(), device=device)

    def starting_detector(self, *, device: str) -> Settings | None:
        """The detector whose backbone the others start from, if this scale trains one.

        It does without the people whom `detector_for_errors` leaves out.
        """
        if "start" not in self.overrides:
            return None
        apart = {"data.without": "{fit}"}
        row = Row(key="start", section="", claim="", base="start", variants={"": apart})
        return self.plan(row, "", seed=0, errors=Path(), device=device)

    def _chain_steps(self) -> dict[str, Any]:
        return {"steps": self.overrides.get("chain", self.overrides["all"])["steps"]}

    def _data(self, changes: Mapping[str, str]) -> NodeSpec:
        node = parse_node(self.data)
        known = registry.find("dataset", node.key).parameters()
        own = {
            name.removeprefix("data."): value
            for name, value in changes.items()
            if name.startswith("data.") and name.removeprefix("data.") in known
        }
        return node.with_params(**own)


def read_report(
    scale: str, *, data: str | None = None, seeds: int = 0, only: tuple[str, ...] = ()
) -> Report:
    """The report at a scale; `only` takes some rows by key.

    Raises:
        ValueError: an unknown scale or row, or data that cannot be used.
    """
    text = resources.files("posezoo.report").joinpath("rows.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text)
    scales = table["scale"]
    if scale not in scales:
        raise ValueError(unknown("scale", scale, scales))
    rows = tuple(_row(each) for each in table["row"])
    known = [row.key for row in rows]
    for key in only:
        if key not in known:
            raise ValueError(unknown("row", key, known))
    chosen = scales[scale]
    node = parse_node(data or chosen["data"])
    train, test = (
        build_dataset(node.with_params(split=split), pictures=False) for split in ("train", "val")
    )
    count = max(1, len(train.subjects) // 4)
    words = {
        "backbone": "resnet18",
        **chosen.get("words", {}),
        "test": "/".join(test.subjects),
        "fit": "/".join(train.subjects[-count:]),
        "few": "/".join(train.subjects[_FEW:]),
    }
    return Report(
        scale=scale,
        summary=chosen["summary"],
        data=str(node),
        seeds=seeds or chosen["seeds"],
        rows=tuple(row for row in rows if not only or row.key in only),
        bases=table["base"],
        overrides={
            name: each
            for name, each in chosen.items()
            if isinstance(each, dict) and name != "words"
        },
        words=words,
    )


def _row(table: Mapping[str, Any]) -> Row:
    judge = table.get("judge", {})
    row = Row(
        key=table["key"],
        section=table["section"],
        claim=table["claim"],
        base=table["base"],
        variants=table["variants"],
        better=tuple(tuple(pair) for pair in judge.get("better", ())),
        no_better=tuple(tuple(pair) for pair in judge.get("no_better", ())),
        cure=tuple(judge["cure"]) if "cure" in judge else None,
        measure=judge.get("measure", ""),
    )
    named = {name for pair in (*row.pairs, row.cure or ()) for name in pair}
    if strange := named - row.variants.keys():
        raise ValueError(f"rows.toml, row {row.key}: no variant {', '.join(sorted(strange))}")
    return row


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _has_part(name: str, nodes: Mapping[str, Any]) -> bool:
    """Whether a setting is one of the run, its data or strategy, or of a part that is there."""
    part, dot, _ = name.partition(".")
    return not dot or part in nodes or part in ("data", "strategy")
