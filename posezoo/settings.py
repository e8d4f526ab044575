"""Everything that defines a training run, in one place; what `run.toml` holds.

A setting comes from, in rising order: its default here, the preset, what the strategy needs of
the parts, the nodes of the command line (`hm:decode=soft`), and `--set`.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields, replace
from functools import cache
from importlib import resources
from typing import Annotated, Any, Literal, get_type_hints

from posezoo import registry
from posezoo.hints import did_you_mean, unknown
from posezoo.limits import Dropout, ImageSize, NotNegative, Part, Range, Seed
from posezoo.registry import NodeSpec, PipelineSpec, SpecError, values

_PREFIXES = {"dataset": "data"}  # --set data.stride=2, after the option that names the dataset

Times = Annotated[int, Range(1, 10**9)]
TimesOrNone = Annotated[int, Range(0, 10**9)]
ScheduleKind = Literal["constant", "plateau", "exponential", "onecycle"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A training run. The first three are specs in canonical form.

    Raises:
        SpecError: values that do not fit their fields' types and limits, all of them together.
    """

    pipeline: str
    strategy: str
    data: str
    preset: str
    steps: Times = 5000
    batch_size: Annotated[int, Range(2, 100_000)] = 32
    image_size: ImageSize = 64  # px; 0: no pictures
    seed: Seed = 0
    optimizer: Literal["adam", "adamw", "sgd", "rmsprop"] = "adam"
    lr: NotNegative = 1e-3
    weight_decay: Annotated[float, Range(0, 100)] = 0.0
    schedule: ScheduleKind = "constant"
    decay: Annotated[float, Range(0, 1, above=True)] = 0.1  # of "plateau" and "exponential"
    decay_steps: Times = 10000  # of "exponential"
    patience: Times = 3  # of "plateau", in evaluations
    warmup: Annotated[float, Range(0, 1, below=True)] = 0.1  # of "onecycle", share of the steps
    grad_clip: NotNegative = 0.0  # largest gradient norm; 0: free
    ema: Dropout = 0.0  # decay of the averaged weights that are evaluated and kept; 0: none
    batch_norm: Literal["local", "sync"] = "local"  # over a rank's items, or the whole batch's
    # auto: pictures, where the hardware computes in it; on: a lifter alone learns in it too
    bf16: Literal["auto", "on", "off"] = "auto"
    eval_every: TimesOrNone = 0  # steps; 0: a fifth of all
    eval_samples: TimesOrNone = 1000  # of the val split, while training; 0: all, as the last one
    log_every: Times = 20  # steps
    early_stop: TimesOrNone = 0  # evaluations without a better one; 0: never
    # Of the train split, for the statistics: deviations need two at least.
    normalisation_samples: Annotated[int, Range(2, 10**7)] = 4000
    augment: str = ""  # of the training data, "mirror+roll:degrees=30"; docs/augmentation.md
    mix: str = ""  # more training data: dataset nodes, " + " between them; 2D only if need be
    mix_share: Part = 0.5  # of the training items, those from `mix`
    limit: TimesOrNone = 0  # train on the first so many items; 0: all
    overfit_one_batch: bool = False

    def __post_init__(self) -> None:
        given = {name: getattr(self, name) for name in types_of_settings()}
        _, problems = _converted(given)
        if problems:
            raise SpecError(problems)


_SPECS = ("pipeline", "strategy", "data", "preset")
_SETTABLE = tuple(f.name for f in fields(Settings) if f.name not in _SPECS)


def settable() -> dict[str, str]:
    """A run's own settings: their names, and what each takes."""
    return {name: values.describe(types_of_settings()[name]) for name in _SETTABLE}


@cache
def types_of_settings() -> dict[str, Any]:
    """The types of all fields of `Settings`, with their limits."""
    return get_type_hints(Settings, include_extras=True)


def presets() -> dict[str, dict[str, Any]]:
    """The tables of `presets.toml`: a summary and settings each."""
    text = resources.files("posezoo").joinpath("presets.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def resolve(
    *,
    pipeline: PipelineSpec,
    strategy: NodeSpec,
    data: NodeSpec,
    preset: str,
    changes: dict[str, str],
) -> Settings:
    """Put a run's settings together.

    `changes` are `--set` items: names of `Settings`, or a part and its parameter
    ("lifter.dropout", "strategy.lambda_2d", "data.stride").

    Raises:
        SpecError: every unknown name and wrong value, together.
    """
    if pipeline.detector is not None:
        alone = f"its lifter alone, '{pipeline.lifter}'" if pipeline.lifter else "something else"
        raise SpecError(f"'{pipeline}' starts with a detector, which comes trained: train {alone}")
    known = presets()
    if preset not in known:
        raise SpecError(unknown("preset", preset, known))
    nodes = {**pipeline.nodes, "strategy": strategy, "dataset": data}
    offered = known[preset]["settings"]
    problems = [f"--set {name}: {flaw}" for name in changes if (flaw := _flaw(name, nodes))]

    def complete(kind: str, *below: dict[str, Any]) -> NodeSpec:
        """A node with the settings below it, where it has such a parameter, and those above it."""
        node, entry = nodes[kind], registry.find(kind, nodes[kind].key)
        parameters = entry.parameters()
        merged: dict[str, Any] = {}
        for settings in below:
            merged |= {k: v for k, v in _of_part(kind, settings).items() if k in parameters}
        merged |= node.params | _of_part(kind, changes)
        return replace(node, params={}).with_params(**merged)

    nodes["strategy"], needs = complete("strategy", offered), {}
    try:
        needs = registry.resolve("strategy", nodes["strategy"]).build().settings
    except SpecError as error:
        problems += error.mistakes
    for kind in (*pipeline.nodes, "dataset"):
        nodes[kind] = complete(kind, offered, needs)
        try:
            registry.resolve(kind, nodes[kind])
        except SpecError as error:
            problems += error.mistakes
    run, wrong = _converted({k: v for k, v in (offered | changes).items() if k in _SETTABLE})
    problems += wrong
    if problems:
        raise SpecError(problems)
    parts = {kind: nodes[kind] for kind in pipeline.nodes}
    return Settings(
        pipeline=str(PipelineSpec(**parts)),
        strategy=str(nodes["strategy"]),
        data=str(nodes["dataset"]),
        preset=preset,
        **run,
    )


def repeat(
    settings: Settings,
    *,
    strategy: NodeSpec | None,
    data: NodeSpec | None,
    preset: str,
    changes: dict[str, str],
) -> Settings:
    """The settings of a run again, with what is said otherwise.

    Raises:
        SpecError: as `resolve`.
    """
    own = {name: values.to_text(getattr(settings, name)) for name in _SETTABLE}
    again = resolve(
        pipeline=registry.parse_pipeline(settings.pipeline),
        strategy=strategy or registry.parse_node(settings.strategy),
        data=data or registry.parse_node(settings.data),
        preset=preset,
        changes=own | changes,
    )
    return replace(again, preset=settings.preset)


def disagreements(
    settings: Settings,
    *,
    pipeline: PipelineSpec,
    strategy: NodeSpec | None,
    data: NodeSpec | None,
    preset: str | None,
    changes: dict[str, str],
) -> list[str]:
    """What a user's words say otherwise than the settings of a run that they want to resume."""
    own_pipeline = registry.parse_pipeline(settings.pipeline)
    own_strategy = registry.parse_node(settings.strategy)
    own_data = registry.parse_node(settings.data)
    own = {**own_pipeline.nodes, "strategy": own_strategy, "dataset": own_data}
    said = {**pipeline.nodes, "strategy": strategy or own_strategy, "dataset": data or own_data}
    found = [f"--set {name}: {flaw}" for name in changes if (flaw := _flaw(name, own))]
    if preset not in (None, settings.preset):
        found.append(f"preset {preset}, the run has {settings.preset}")
    if pipeline.nodes.keys() != own_pipeline.nodes.keys():
        return [*found, f"pipeline {pipeline}, the run has {own_pipeline}"]
    for kind, node in said.items():
        params = node.params | _of_part(kind, changes)
        if node.key != own[kind].key or not params.items() <= own[kind].params.items():
            found.append(f"{kind} {node.with_params(**params)}, the run has {own[kind]}")
    for name in sorted(changes.keys() & set(_SETTABLE)):
        try:
            value = values.convert(types_of_settings()[name], changes[name])
        except ValueError as error:
            found.append(f"{name}: {error}")
            continue
        if value != getattr(settings, name):
            found.append(f"{name}={value}, the run has {getattr(settings, name)}")
    return found


def with_changes(pipeline: PipelineSpec, changes: dict[str, str]) -> PipelineSpec:
    """The pipeline with those `--set` items that are of its parts."""
    nodes = {k: node.with_params(**_of_part(k, changes)) for k, node in pipeline.nodes.items()}
    return PipelineSpec(**nodes)


def _flaw(name: str, nodes: dict[str, NodeSpec]) -> str:
    """What is wrong with the name of a `--set` item; "" for nothing."""
    part, dot, _ = name.partition(".")
    if dot:
        known = [_PREFIXES.get(kind, kind) for kind in nodes]
        return "" if part in known else f"this run has no '{part}'; it has {', '.join(known)}"
    if name in _SETTABLE:
        return ""
    owners = [kind for kind, n in nodes.items() if name in registry.find(kind, n.key).parameters()]
    if owners:
        written = " or ".join(f"{_PREFIXES.get(kind, kind)}.{name}" for kind in owners)
        return f"a setting of a part is written with the part: {written}"
    hint = did_you_mean(name, _SETTABLE)
    return f"unknown setting.{hint} Known: {', '.join(_SETTABLE)}, and PART.PARAMETER"


def _of_part(kind: str, settings: dict[str, Any]) -> dict[str, Any]:
    prefix = f"{_PREFIXES.get(kind, kind)}."
    return {k.removeprefix(prefix): v for k, v in settings.items() if k.startswith(prefix)}


def _converted(given: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Values in their fields' types, and what is wrong with those that do not fit."""
    fitting, problems = {}, []
    for name, value in given.items():
        try:
            fitting[name] = values.convert(types_of_settings()[name], value)
        except ValueError as error:
            problems.append(f"{name}: {error}")
    return fitting, problems
