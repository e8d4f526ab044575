"""What every network promises, whatever its kind: it can be saved, moved, trained and exported."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from posezoo.camera import Camera
from posezoo.pipeline import Pipeline
from posezoo.registry import NodeSpec, PipelineSpec
from posezoo.settings import Settings
from posezoo.skeleton import H36M17
from posezoo.testing.outcome import Check, Violation
from posezoo.testing.rounding import rounding
from posezoo.testing.subject import Subject, as_tuple
from posezoo.training.checkpoint import TrainingState, load_state, save_checkpoint
from posezoo.training.fitting import load_weights
from posezoo.training.optimizer import Optimizer

# How many sums may stand one behind the other in a deep network: of its largest number, 1e-3 and
# 1e-4 in float32. Another batch shape takes other sums in each layer, another build the same ones.
_OTHER_SHAPES, _SAME_SHAPES = 8192, 1024
_SETTINGS = Settings(pipeline="", strategy="", data="", preset="")
_STEPS = (1e-2, 1e-3, 1e-4, 1e-5)  # tried in turn, as shares of the weights' own size


def builds_on_the_meta_device(subject: Subject) -> str:
    """Shapes without memory: how parameters are counted and big models are looked at."""
    with torch.device("meta"):
        part = subject.build()
    if not isinstance(part, nn.Module):
        raise Violation(
            found=f"an object of {type(part).__name__}",
            expected="a torch.nn.Module, whose weights a pipeline trains and saves",
            advice=f"Derive {subject.entry.target} from nn.Module.",
        )
    tensors = {**dict(part.named_parameters()), **dict(part.named_buffers())}
    if made := [name for name, value in tensors.items() if value.device.type != "meta"]:
        raise Violation(
            found=f"{_listed(made)} on {tensors[made[0]].device} under torch.device('meta')",
            expected="every tensor where `with torch.device(...)` says",
            advice="Make it by torch.zeros or torch.tensor, with no device= and not from numpy.",
        )
    return f"{sum(p.numel() for p in part.parameters()):,} weights"


def a_checkpoint_holds_all_that_was_learned(subject: Subject) -> None:
    """Trained for a step, saved and restored as runs are, a fresh network computes the same."""
    part, inputs = subject.network()
    learner = Optimizer([p for p in part.parameters() if p.requires_grad], _SETTINGS, steps=2)
    learner.update(inputs.loss(part.train()), 0)
    other = subject.build(seed=1)
    with tempfile.TemporaryDirectory() as folder:
        try:
            whole = _in_a_pipeline(subject, part)
            save_checkpoint(
                Path(folder) / "last",
                whole.state_dict(),
                pipeline=whole,
                provenance={},
                state=TrainingState(tensors=learner.tensors()),
            )
            tensors, _ = load_state(Path(folder) / "last")
            load_weights(_in_a_pipeline(subject, other), tensors, origin="the checkpoint")
        except (ValueError, OSError) as error:
            raise Violation(
                found=f"a network that cannot be saved and restored: {error}",
                expected="a checkpoint that a fresh network takes, as training writes it",
                advice="Keep finite numbers in parameters and buffers, all made in the "
                "constructor; a constant such as a mask with -inf is no state: "
                "register_buffer(..., persistent=False).",
            ) from error
    _require_equal(
        subject.outputs(part.eval()),
        subject.outputs(other.eval()),
        found="another output of a fresh network that took the checkpoint",
        advice="Keep what training learns in parameters or in buffers: self.register_buffer(...), "
        "not as plain attributes.",
    )


def every_tensor_moves_with_the_network(subject: Subject) -> None:
    """Nothing stays behind on the old device."""
    part = subject.network()[0].to("meta")
    behind = [
        f"{prefix}.{name}".lstrip(".")
        for prefix, module in part.named_modules()
        for name, value in vars(module).items()
        if name not in ("_parameters", "_buffers", "_modules")
        and any(tensor.device.type != "meta" for tensor in _tensors_in(value))
    ]
    if behind:
        raise Violation(
            found=f"{_listed(behind)} left on the old device by .to(...)",
            expected="every tensor of the network moves with it",
            advice=f"self.register_buffer('{behind[0].rpartition('.')[2]}', value), "
            "with persistent=False if it is a constant.",
        )


def eval_is_deterministic(subject: Subject) -> None:
    """The same input gives the same output, to the bit."""
    _require_equal(
        subject.outputs(subject.part),
        subject.outputs(subject.part),
        found="two outputs for one input in eval mode",
        advice="Draw random numbers only if self.training, and keep no state between calls.",
        roundings=0,
    )


def one_sample_does_not_see_the_others(subject: Subject) -> None:
    """In eval mode a sample alone, or at another place of the batch, gives what it gave before."""
    part = subject.part
    assert subject.inputs is not None
    inputs = subject.inputs.make(part, 4)
    advice = "In eval mode mix nothing along axis 0: no batch statistics, no reshape across items."
    with torch.no_grad():
        whole = as_tuple(part(*inputs))
        for places, found in (
            ([2, 0, 3, 1], "other outputs for the same samples in another order"),
            ([0], "another output for a sample alone (batch of 1) than in a batch of 4"),
        ):
            expected = tuple(each[places] for each in whole)
            got = as_tuple(part(*_chosen(inputs, places)))
            _require_equal(expected, got, found=found, advice=advice, roundings=_OTHER_SHAPES)


def every_parameter_gets_a_gradient(subject: Subject) -> str:
    """Nothing lies idle. Weights that start at 0 are stirred first: they would hide others.

    A bias need only take part: in front of a norm its gradient is rounding, which may be 0.
    """
    part, inputs = subject.network()
    for parameter in part.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.02)
    inputs.loss(part).backward()
    named = {name: p for name, p in part.named_parameters() if p.requires_grad}
    takes_part = {
        name: p.grad is not None and (name.endswith("bias") or bool(p.grad.any()))
        for name, p in named.items()
    }
    if idle := [name for name, takes in takes_part.items() if not takes]:
        raise Violation(
            found=f"no gradient at {_listed(idle)} ({len(idle)} of {len(named)} parameters)",
            expected="a gradient of the training loss at every parameter",
            advice="Use it in the forward, or delete it; look for detach() and torch.no_grad().",
        )
    if bad := [name for name, p in named.items() if not p.grad.isfinite().all()]:
        raise Violation(
            found=f"a gradient that is not finite at {_listed(bad)}",
            expected="finite gradients",
            advice="Guard square roots, divisions and logarithms near 0.",
        )
    return f"{len(named)} parameters"


def one_small_step_lowers_the_loss(subject: Subject) -> str:
    """Down the gradient, the loss of the same batch goes down."""
    part, inputs = subject.network()
    part.train()
    learning = [p for p in part.parameters() if p.requires_grad]
    before = _loss(part, inputs.loss)
    before.backward()
    kept = [p.detach().clone() for p in learning]
    gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in learning]
    scale = _norm(kept) / _norm(gradients).clamp_min(1e-30)
    for step in _STEPS:
        with torch.no_grad():
            for parameter, start, gradient in zip(learning, kept, gradients, strict=True):
                parameter.copy_(start - step * scale * gradient)
            after = _loss(part, inputs.loss)
        if after < before:
            return f"{before.item():.4g} to {after.item():.4g} by a step of {step:g}"
    raise Violation(
        found=f"a loss of {before.item():.6g} that no step down its gradient lowers",
        expected=f"a lower loss of the same batch after a step of {_STEPS[0]:g} to {_STEPS[-1]:g}",
        advice="Look for a sign, a detach(), or a loss that does not depend on the weights.",
    )


def torch_compile_takes_it_whole(subject: Subject) -> str:
    """Traced in one graph, without a break; nothing is compiled to machine code here."""
    inputs = _inputs(subject)
    torch.compiler.reset()
    with torch.no_grad():
        whole = torch.compile(subject.part, fullgraph=True, backend="eager")
        got = as_tuple(whole(*inputs))
    _require_equal(
        subject.outputs(subject.part, 2), got, found="another output when compiled", advice=""
    )
    return "one graph"


def torch_export_takes_it(subject: Subject) -> str:
    """By torch.export, at one size."""
    inputs = _inputs(subject)
    cameras = [isinstance(each, Camera) for each in inputs]
    program = torch.export.export(_OfTensors(subject.part, cameras), _parameters_of(inputs))
    return f"{len(program.graph.nodes)} nodes"


def _in_a_pipeline(subject: Subject, part: nn.Module) -> Pipeline:
    """The part as a run saves it; the spec is only its name, and nothing is built by it."""
    kind, beside = subject.entry.kind, {"backbone": "resnet18", "head": "hm"}
    nodes = {} if kind == "lifter" else {name: NodeSpec(key) for name, key in beside.items()}
    nodes[kind] = NodeSpec(subject.entry.key)
    parts: dict[str, Any] = {"backbone": None, "head": None, "lifter": None, kind: part}
    return Pipeline(spec=PipelineSpec(**nodes), skeleton=H36M17, **parts)


class _OfTensors(nn.Module):
    """The network with a camera's parameters in place of the camera, which export knows not."""

    def __init__(self, part: nn.Module, cameras: list[bool]) -> None:
        super().__init__()
        self.part, self.cameras = part, cameras

    def forward(self, *inputs: Any) -> Any:
        both = zip(self.cameras, inputs, strict=True)
        return self.part(*(Camera(each) if is_camera else each for is_camera, each in both))


def _parameters_of(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(each.parameters if isinstance(each, Camera) else each for each in inputs)


def _inputs(subject: Subject) -> tuple[Any, ...]:
    assert subject.inputs is not None
    return subject.inputs.make(subject.part, 2)


def _chosen(value: Any, places: list[int]) -> Any:
    """The same of every tensor and camera in nested tuples."""
    if isinstance(value, tuple):
        return tuple(_chosen(each, places) for each in value)
    return value[places]


def _loss(part: nn.Module, loss: Any) -> Tensor:
    torch.manual_seed(0)  # the same dropout each time
    value: Tensor = loss(part)
    return value


def _norm(tensors: list[Tensor]) -> Tensor:
    return torch.stack([t.norm() for t in tensors]).norm()


def _tensors_in(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        yield from (tensor for each in value.values() for tensor in _tensors_in(each))
    elif isinstance(value, list | tuple):
        yield from (tensor for each in value for tensor in _tensors_in(each))
    elif is_dataclass(value) and not isinstance(value, type):
        yield from (t for f in fields(value) for t in _tensors_in(getattr(value, f.name)))


def _require_equal(
    expected: tuple[Tensor, ...],
    got: tuple[Tensor, ...],
    *,
    found: str,
    advice: str,
    roundings: int = _SAME_SHAPES,
) -> None:
    """Equal up to that many roundings of the largest number."""
    for a, b in zip(expected, got, strict=True):
        difference = (a - b).abs().max().item()
        limit = rounding(terms=roundings, magnitude=a.abs().max().item(), dtype=a.dtype)
        if not difference <= limit:  # NaN too
            raise Violation(
                found=f"{found}: up to {difference:.3g} apart",
                expected=f"at most {limit:.3g}",
                advice=advice,
            )


def _listed(names: list[str]) -> str:
    return ", ".join(names[:3]) + (" and others" if len(names) > 3 else "")


CHECKS = (
    Check(builds_on_the_meta_device, essential=True),
    Check(a_checkpoint_holds_all_that_was_learned),
    Check(every_tensor_moves_with_the_network),
    Check(eval_is_deterministic),
    Check(one_sample_does_not_see_the_others),
    Check(every_parameter_gets_a_gradient),
    Check(one_small_step_lowers_the_loss),
    Check(torch_compile_takes_it_whole, required=False),
    Check(torch_export_takes_it, required=False),
)
