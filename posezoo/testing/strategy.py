"""What a strategy promises: stages that train what they name, and nothing else."""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from posezoo import registry
from posezoo.assembly import build_pipeline
from posezoo.contracts import Batch, Stage
from posezoo.pipeline import Pipeline
from posezoo.registry import Entry
from posezoo.testing.examples import people
from posezoo.testing.outcome import Check, NotApplicable, Violation
from posezoo.testing.subject import Subject

# A strategy must take one of these at least, and may refuse the others in words.
_PIPELINES = (
    "resnet18:cut=layer1-hm+martinez:width=32",
    "resnet18:cut=layer1-hm",
    "martinez:width=32",
)
_PX = 32


def subject(entry: Entry, params: Mapping[str, Any]) -> Subject:
    """A strategy; it is fed with small pipelines."""
    return Subject(entry=entry, params=params)


def some_pipeline_is_taken(subject: Subject) -> str:
    """And one that is not is refused by a ValueError."""
    taken = [str(pipeline.spec) for pipeline, _ in _taken(subject)]
    if not taken:
        raise Violation(
            found="a ValueError for each of " + ", ".join(_PIPELINES),
            expected="stages for one of them at least",
            advice="Refuse only pipelines that lack a part which this strategy trains.",
        )
    return ", ".join(taken)


def settings_name_parameters_of_parts(subject: Subject) -> str:
    """Such as {"head.decode": "soft"}: what the strategy needs of the parts."""
    settings = subject.build().settings
    for name in settings:
        part, dot, parameter = name.partition(".")
        if not dot or part not in ("backbone", "head", "lifter") or not parameter:
            raise Violation(
                found=f"settings of {name!r}",
                expected="'backbone.NAME', 'head.NAME' or 'lifter.NAME'",
                advice='Write self.settings = {"head.decode": "soft"}, or {} if it needs nothing.',
            )
    return ", ".join(settings) or "none"


def shares_sum_to_one(subject: Subject) -> str:
    """Every stage has some of the steps, and together they have all."""
    notes = []
    for pipeline, stages in _taken(subject):
        shares = [stage.share for stage in stages]
        if not shares or min(shares) <= 0 or not math.isclose(sum(shares), 1, abs_tol=1e-6):
            raise Violation(
                found=f"shares {shares} for {pipeline.spec}, sum {sum(shares):g}",
                expected="shares above 0 whose sum is 1",
                advice="A share is a stage's part of all steps; give the last stage the rest.",
            )
        notes.append(" + ".join(f"{share:g} {stage.name}" for share, stage in zip(shares, stages)))  # noqa: B905
    return "; ".join(notes)


def stages_train_parts_that_are_there(subject: Subject) -> str:
    """By their names."""
    for pipeline, stages in _taken(subject):
        for stage in stages:
            absent = [name for name in stage.trains if name not in pipeline.parts]
            if absent or not stage.trains:
                raise Violation(
                    found=f"stage '{stage.name}' that trains {', '.join(absent) or 'nothing'} of "
                    f"{pipeline.spec}",
                    expected=f"one or more of {', '.join(pipeline.parts)}",
                    advice='Write trains=pipeline.require("head", "lifter"): it refuses in words.',
                )
    return ""


def losses_are_finite_scalars(subject: Subject) -> str:
    """A dictionary of named terms, whose sum is minimised."""
    seen: dict[str, None] = {}
    for pipeline, stages in _taken(subject):
        for stage in stages:
            terms = _losses(pipeline, stage)
            for name, term in terms.items():
                if term.ndim or not term.isfinite():
                    raise Violation(
                        found=f"term '{name}' of stage '{stage.name}' of shape "
                        f"{tuple(term.shape)}, {term.flatten()[0].item():.4g}",
                        expected="one finite number",
                        advice="Take the mean over the labelled joints, guarding against none.",
                    )
            if not terms or not sum(terms.values(), torch.zeros(())).requires_grad:
                raise Violation(
                    found=f"stage '{stage.name}' with terms {[*terms]} that no weight can lower",
                    expected="at least one term with a gradient",
                    advice="Compute the loss outside torch.no_grad(), from what the part gives.",
                )
            seen |= dict.fromkeys(terms)
    return ", ".join(seen)


def every_trained_part_gets_a_gradient(subject: Subject) -> str:
    """In each stage that names it."""
    for pipeline, stages in _taken(subject):
        for stage in stages:
            _backward(pipeline, stage)
            for name in stage.trains:
                gradients = [p.grad for p in pipeline.parts[name].parameters()]
                if not any(g is not None and g.any() for g in gradients):
                    raise Violation(
                        found=f"no gradient at the {name} in stage '{stage.name}' of "
                        f"{pipeline.spec}, which trains it",
                        expected="a gradient at every part that `trains` names",
                        advice="Look for detach(), torch.no_grad() or an argmax before the "
                        f"loss; or leave the {name} out of `trains`.",
                    )
    return ""


def frozen_parts_stay_as_they_are(subject: Subject) -> str:
    """No gradient, no thawing, no statistics taken, in parts that a stage does not train."""
    seen: dict[str, None] = {}
    for pipeline, stages in _taken(subject):
        for stage in stages:
            frozen = {n: part for n, part in pipeline.parts.items() if n not in stage.trains}
            before = {n: _state(part) for n, part in frozen.items()}
            _backward(pipeline, stage)
            for name, part in frozen.items():
                what = ""
                if any(p.grad is not None or p.requires_grad for p in part.parameters()):
                    what = "a gradient at"
                elif any(not torch.equal(a, b) for a, b in zip(before[name], _state(part))):  # noqa: B905
                    what = "changed weights or statistics in"
                elif part.training:
                    what = "training mode of"
                if what:
                    raise Violation(
                        found=f"{what} the {name} in stage '{stage.name}' of {pipeline.spec}, "
                        f"which trains {', '.join(stage.trains)}",
                        expected="frozen parts that predict as they will at test time",
                        advice=f"Name the {name} in `trains`, or leave its requires_grad and mode "
                        "alone: the training loop sets both.",
                    )
            seen |= dict.fromkeys(frozen)
    if not seen:
        raise NotApplicable("every stage trains every part")
    return ", ".join(seen)


def stages_are_the_same_each_time(subject: Subject) -> None:
    """`stages` describes; asking twice changes nothing, as a resumed run does."""
    strategy = subject.build()
    for pipeline, stages in _taken(subject):
        again = [(s.name, s.trains, s.share) for s in strategy.stages(pipeline)]
        third = [(s.name, s.trains, s.share) for s in strategy.stages(pipeline)]
        first = [(s.name, s.trains, s.share) for s in stages]
        if not first == again == third:
            raise Violation(
                found=f"stages {again}, then {third}",
                expected=f"{first} whenever they are asked for",
                advice="Keep no state in the strategy: build the stages from the arguments.",
            )


def unlabelled_joints_do_not_count(subject: Subject) -> None:
    """The losses do not change with the truth of a joint that is not labelled."""
    for pipeline, stages in _taken(subject):
        for stage in stages:
            a, b = (_losses(pipeline, stage, batch) for batch in _with_unlabelled_joint())
            for name in a:
                if a[name].item() != b[name].item():
                    raise Violation(
                        found=f"term '{name}' of stage '{stage.name}' at {a[name].item():.6g} that "
                        f"becomes {b[name].item():.6g} when an unlabelled joint is elsewhere",
                        expected="the same: its place is not known",
                        advice="Use the losses of head and lifter, or weigh by batch.labelled3d.",
                    )


def _taken(subject: Subject) -> Iterator[tuple[Pipeline, tuple[Stage, ...]]]:
    """Pipelines that the strategy takes, fresh and fitted, with its stages."""
    for text in _PIPELINES:
        strategy = subject.build()
        spec = registry.parse_pipeline(text)
        for name, value in strategy.settings.items():
            kind, _, parameter = name.partition(".")
            if kind in spec.nodes:
                node = spec.nodes[kind].with_params(**{parameter: value})
                spec = replace(spec, **{kind: node})
        pipeline = copy.deepcopy(_built(str(spec)))
        try:
            stages = strategy.stages(pipeline)
        except ValueError:
            continue
        yield pipeline, tuple(stages)


@functools.cache
def _built(spec: str) -> Pipeline:
    pipeline = build_pipeline(spec)
    pipeline.fit_normalisation(_batch())
    return pipeline


def _losses(pipeline: Pipeline, stage: Stage, batch: Batch | None = None) -> dict[str, Tensor]:
    """The terms of a stage, with parts frozen and in the modes that the training loop sets."""
    pipeline.zero_grad()
    pipeline.eval()
    for name, part in pipeline.parts.items():
        part.requires_grad_(name in stage.trains)
        part.train(name in stage.trains)
    torch.manual_seed(0)  # the same dropout each time
    return stage.losses(pipeline, batch or _batch(), 0.5)


def _backward(pipeline: Pipeline, stage: Stage) -> None:
    terms = _losses(pipeline, stage)
    sum(terms.values(), torch.zeros(())).backward()


def _state(part: torch.nn.Module) -> list[Tensor]:
    return [value.detach().clone() for value in part.state_dict().values()]


def _batch() -> Batch:
    return people(4, size=_PX, pictures=True)


def _with_unlabelled_joint() -> tuple[Batch, Batch]:
    """Two batches that differ only in where a joint without 3D label is said to be."""
    batch = _batch()
    known, moved = batch.labelled3d.clone(), batch.joints3d.clone()
    known[:, :, 3] = False
    moved[:, :, 3] += 90.0
    batch = replace(batch, labelled3d=known)
    return batch, replace(batch, joints3d=moved)


CHECKS = (
    Check(some_pipeline_is_taken, essential=True),
    Check(settings_name_parameters_of_parts),
    Check(shares_sum_to_one),
    Check(stages_train_parts_that_are_there, essential=True),
    Check(losses_are_finite_scalars),
    Check(every_trained_part_gets_a_gradient),
    Check(frozen_parts_stay_as_they_are),
    Check(stages_are_the_same_each_time),
    Check(unlabelled_joints_do_not_count),
)
