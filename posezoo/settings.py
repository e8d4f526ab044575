"""Everything that defines a training run, in one place; what `run.toml` holds.

A setting comes from, in rising order: its default here, the preset, what the strategy needs of
the parts, the nodes of the command line (`hm:decode=soft`), and `--set`.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields, replace
from importlib import resources
from typing import Any, Literal, get_type_hints

from posezoo import registry
from posezoo.hints import did_you_mean, unknown
from posezoo.registry import NodeSpec, PipelineSpec, SpecError, values

_PREFIXES = {"dataset": "data"}  # --set data.stride=2, after the option that names the dataset

ScheduleKind = Literal["constant", "plateau", "exponential", "onecycle"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A training run. The first three are specs in canonical form."""

    pipeline: str
    strategy: str
    data: str
    preset: str
    steps: int = 5000
    batch_size: int = 32
    image_size: int = 64  # px; 0: no pictures
    seed: int = 0
    optimizer: Literal["adam", "adamw", "sgd", "rmsprop"] = "adam"
    lr: float = 1e-3
    weight_decay: float = 0.0
    schedule: ScheduleKind = "constant"
    decay: float = 0.1  # of "plateau" and "exponential"
    decay_steps: int = 10000  # of "exponential"
    patience: int = 3  # of "plateau", in evaluations
    warmup: float = 0.1  # of "onecycle", as a share of the steps
    grad_clip: float = 0.0  # largest gradient norm; 0: free
    ema: float = 0.0  # decay of the averaged weights that are evaluated and kept; 0: none
    batch_norm: Literal["local", "sync"] = "local"  # over a rank's items, or the whole batch's
    bf16: Literal["auto", "on", "off"] = "auto"  # auto: where the hardware computes in it
    eval_every: int = 0  # steps; 0: a fifth of all
    eval_samples: int = 1000  # of the val split, while training; the last evaluation takes all
    log_every: int = 20  # steps
    early_stop: int = 0  # evaluations without a better one; 0: never
    normalisation_samples: int = 4000  # of the train split, for the statistics
    augment: str = ""  # of the training data, "mirror+roll:degrees=30"; docs/augmentation.md
    mix: str = ""  # more training data: dataset nodes, " + " between them; 2D only if need be
    mix_share: float = 0.5  # of the training items, those from `mix`
    limit: int = 0  # train on the first so many items; 0: all
    overfit_one_batch: bool = False


_SPECS = ("pipeline", "strategy", "data", "preset")
_SETTABLE = tuple(f.name for f in fields(Settings) if f.name not in _SPECS)


def settable() -> tuple[str, ...]:
    """The names of a run's own settings."""
    return _SETTABLE


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

    nodes["strategy"] = complete("strategy", offered)
    needs = registry.resolve("strategy", nodes["strategy"]).build().settings
    for kind in (*pipeline.nodes, "dataset"):
        nodes[kind] = complete(kind, offered, needs)
        try:
            registry.resolve(kind, nodes[kind])
        except SpecError as error:
            problems += error.mistakes
    types, run = get_type_hints(Settings), {}
    for name, value in (offered | changes).items():
        if name in types:
            try:
                run[name] = values.convert(types[name], value)
            except ValueError as error:
                problems.append(f"{name}: {error}")
    problems += _out_of_range(run)
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
            value = values.convert(get_type_hints(Settings)[name], changes[name])
        except ValueError as error:
            found.append(f"{name}: {error}")
            continue
        if value != getattr(settings, name):
            found.append(f"{name}={value}, the run has {getattr(settings, name)}")
    return found


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


def _out_of_range(run: dict[str, Any]) -> list[str]:
    """Numbers that cannot be meant."""
    least = {"steps": 1, "batch_size": 2, "log_every": 1, "image_size": 0, "lr": 0}
    return [
        f"{name}={run[name]}: expected at least {low}"
        for name, low in least.items()
        if run.get(name, low) < low
    ]
