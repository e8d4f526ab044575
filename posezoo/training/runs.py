"""A run from its settings to its numbers: what `posezoo train` calls."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Any

import torch

from posezoo.assembly import build_dataset, build_pipeline
from posezoo.cores import loader_workers
from posezoo.data.fingerprint import fingerprint
from posezoo.evaluation.curves import draw_curves
from posezoo.evaluation.evaluate import Evaluation, evaluate_run
from posezoo.evaluation.figures import draw_run
from posezoo.evaluation.per_pose import Progress
from posezoo.limits import Range
from posezoo.ranks import here, job, lost, restarted
from posezoo.registry import (
    NodeSpec,
    PipelineSpec,
    find,
    parse_node,
    parse_pipeline,
    split_nodes,
)
from posezoo.registry.values import convert, to_text
from posezoo.settings import (
    Settings,
    disagreements,
    presets,
    repeat,
    resolve,
    with_changes,
)
from posezoo.training.devices import pick_device
from posezoo.training.loggers import JsonLines, Logger, TensorBoard
from posezoo.training.loop import Training
from posezoo.training.run_folder import RunFolder
from posezoo.training.signals import StopRequest
from posezoo.weights.starting import starting_weights
from posezoo.whole_files import naming

_LONGEST = 120  # characters of a run's name
_Epochs = Annotated[float, Range(0, 10**6, above=True)]


def plan(
    *,
    pipeline: PipelineSpec | None = None,
    config: Path | None = None,
    strategy: NodeSpec | None = None,
    data: NodeSpec | None = None,
    preset: str | None = None,
    changes: dict[str, str] | None = None,
    epochs: float | None = None,
    out: Path | None = None,
    resume: bool = False,
    device: str = "auto",
) -> tuple[RunFolder, Settings, list[str]]:
    """The folder and settings of a run, with sentences on what was chosen; None takes a default.

    `config` is the run.toml of a run to repeat: what is given beside it wins, and its preset does
    not come in again.

    Raises:
        ValueError: unknown names or wrong values; a run to resume that is not there or says
            otherwise than the arguments.
    """
    changes = changes or {}
    repeated = run_of(config).settings() if config else None
    if repeated is not None:
        pipeline = parse_pipeline(repeated.pipeline)
    if pipeline is None:
        raise ValueError("a run needs a pipeline, or a run.toml to repeat")
    words: dict[str, Any] = {
        "pipeline": pipeline,
        "strategy": strategy,
        "data": data,
        "preset": preset,
        "changes": changes,
    }
    ranks, begun = here(), _begun(out)
    if ranks.told("yes" * (resume or begun is not None)):
        run = RunFolder(Path(ranks.told(str(begun or out or _to_resume(**words)))))
        settings = run.settings()
        wrong = disagreements(settings, **words)
        if epochs is not None and (steps := _steps(settings, epochs)) != settings.steps:
            wrong.append(f"--epochs {epochs:g} is steps={steps}, the run has {settings.steps}")
        if wrong:
            raise ValueError(
                f"{run.path} cannot be resumed with other settings: {'; '.join(wrong)}. "
                "Leave them out, or start a new run with another --out"
            )
        return run, settings, [f"resuming {run.path}"]
    has_image, full = pipeline.backbone is not None, pipeline.lifter is not None
    on_gpu = pick_device(device).type == "cuda"
    default = ("gpu" if on_gpu else "laptop") if has_image else "lifter"
    if repeated is not None:
        settings = repeat(
            repeated, strategy=strategy, data=data, preset=preset or "none", changes=changes
        )
    else:
        settings = resolve(
            pipeline=pipeline,
            strategy=strategy or NodeSpec("multitask" if has_image and full else "separate"),
            data=data or NodeSpec("synthetic"),
            preset=preset or default,
            changes=changes,
        )
    if epochs is not None:
        settings = replace(settings, steps=_steps(settings, epochs))
    typed = with_changes(pipeline, changes)
    made = "" if repeated else _changed(typed, parse_pipeline(settings.pipeline))
    name = run_name(typed, settings.preset if made else "")
    run = RunFolder(Path(ranks.told(str(out or _free(name)))))
    known = presets()
    if repeated is not None:
        notes = [f"the settings of {config}"]
    else:
        notes = [f"preset {settings.preset}: {known[settings.preset]['summary']}"]
        if made:
            device_found = "a GPU is here" if on_gpu else "no GPU is here"
            why = "you asked for it" if preset else device_found if has_image else "a lifter alone"
            notes.append(
                f"not '{pipeline}' as it stands ({why}): {made}. "
                "--preset none takes the key as it is"
            )
    if preset is None and has_image and repeated is None:
        other = "report"
        notes.append(f"(--preset {other} would be {known[other]['summary']})")
    notes.append(f"pipeline {settings.pipeline}")
    notes.append(f"strategy {settings.strategy}, data {settings.data}, out {run.path}")
    return run, settings, notes


def run_of(config: Path) -> RunFolder:
    """The run that a `run.toml` belongs to; its folder will do as well.

    Raises:
        ValueError: a file of another name.
    """
    if not config.is_dir() and config.name != "run.toml":
        raise ValueError(f"--config {config}: expected the run.toml of a run, or its folder")
    return RunFolder(config if config.is_dir() else config.parent)


def _changed(typed: PipelineSpec, run: PipelineSpec) -> str:
    """What a run's parts have that is neither their default nor what the user typed."""
    parts = []
    for kind, node in run.nodes.items():
        parameters = find(kind, node.key).parameters()
        own = typed.nodes[kind].params
        defaults = {name: to_text(p.default) for name, p in parameters.items() if not p.required}
        other = [
            f"{name}={value}"
            for name, value in sorted(node.params.items())
            if name not in own and defaults.get(name) != value
        ]
        if other:
            parts.append(f"{kind} {node.key} with {', '.join(other)}")
    return "; ".join(parts)


def start(
    run: RunFolder,
    settings: Settings,
    *,
    device: str = "auto",
    workers: int | None = None,
    resume: bool = False,
    weights: Sequence[str] = (),
    loggers: Sequence[Logger] = (),
    draw: bool = True,
    progress: Progress | None = None,
) -> Evaluation:
    """Train, or go on training, then evaluate the best checkpoint and draw what it predicts.

    `weights` are what parts start from (posezoo.weights.starting); a resumed run knows its own.
    `draw=False` leaves the picture out, which costs a tiny run more than its training.
    `progress` is told of the evaluation at the end.

    Raises:
        ValueError: the settings do not fit together, the folder is taken, or the loss diverged.
        Stopped: a signal asked for it; the state is saved.
    """
    with StopRequest() as stop:
        stop.at_once("before its first step")
        ranks = here()
        resume = bool(ranks.told("yes" * (resume or _begun(run.path) is not None)))
        torch.manual_seed(settings.seed)
        pipeline = build_pipeline(settings.pipeline)
        where = pick_device(device)
        if workers is None:
            workers = loader_workers(cpu=where.type == "cpu") if pipeline.has_image else 0
            workers //= ranks.local_size
        everyone = _loggers(run, loggers) if ranks.is_first else []
        weights = _sources(run, weights) if resume else weights
        wanted = weights if ranks.is_first and not run.has_checkpoint else ()
        begun = [starting_weights(pipeline, item, warn=partial(_note, everyone)) for item in wanted]
        notes = [text for found in begun for text in found.notes]
        for text in notes:
            _note(everyone, text)
        # Everything that can be refused is refused before the folder is touched.
        training = Training(
            pipeline, settings, run, device=where, workers=workers, loggers=everyone
        )
        with run.locked() if ranks.is_first else nullcontext():
            stop.at_once(f"before a step; {run.path} can be gone on with by --resume")
            if ranks.is_first:
                data = _fingerprints(settings)
                if resume:
                    run.require_same_data(data)
                else:
                    run.start(settings, weights=weights, notes=notes, data=data)
                for text in run.settle():
                    _note(everyone, text)
            if ranks.told("yes" * run.has_checkpoint):
                training.resume()
            else:
                training.start({k: v for found in begun for k, v in found.tensors.items()})
            stop.noted()
            _train(training, stop)
            stop.at_once("the training is done and saved; --resume evaluates it")
            for logger in everyone:
                logger.close()
            ranks.wait()  # for the best checkpoint to be written
            evaluation = evaluate_run(run.path, device=where, progress=progress)
            if ranks.is_first:
                run.save_evaluation(evaluation.to_dict())
                if draw:
                    with naming(run.figures):
                        draw_run(run, device=where)
                        draw_curves(run)
    return evaluation


def _loggers(run: RunFolder, others: Sequence[Logger]) -> list[Logger]:
    everyone: list[Logger] = [JsonLines(run), *others]
    if TensorBoard.installed():
        everyone.append(TensorBoard(run.path / "tensorboard"))
    return everyone


def _note(loggers: Sequence[Logger], text: str) -> None:
    for logger in loggers:
        logger.note(text)


def _sources(run: RunFolder, said: Sequence[str]) -> list[str]:
    """What a run that is gone on with started from."""
    own = run.weights()
    if said and list(said) != own:
        raise ValueError(
            f"{run.path} cannot be resumed with other --weights than {own}: leave them out, or "
            "start a new run with another --out"
        )
    return own


def _train(training: Training, stop: StopRequest) -> None:
    """Train; torch has a RuntimeError for a loader's worker or another rank that ended."""
    try:
        training(stop)
    except RuntimeError as error:
        if lost(error):
            raise ValueError(
                f"another of the {here().size} processes ended; "
                f"{training.saved or 'there is no checkpoint yet'}; go on with --resume"
            ) from error
        if "DataLoader worker" not in str(error) or "Caught" in str(error):
            raise
        raise ValueError(
            f"a loader worker ended: {str(error).splitlines()[0].strip(' .')}; "
            f"{training.saved or 'there is no checkpoint yet'}; go on with --resume, "
            "with fewer --workers if memory ran out"
        ) from error


def _steps(settings: Settings, epochs: float) -> int:
    try:
        convert(_Epochs, epochs)
    except ValueError as error:
        raise ValueError(f"--epochs: {error}") from None
    train = build_dataset(settings.data, split="train", pictures=False)
    items = min(settings.limit or len(train), len(train))
    return max(1, math.ceil(epochs * items / settings.batch_size))


def _fingerprints(settings: Settings) -> dict[str, str]:
    """Of each file or folder that a parameter of the data or the strategy names."""
    specs = [settings.strategy, settings.data, *split_nodes(settings.mix)]
    values = [value for spec in specs for value in parse_node(spec).params.values()]
    named = [str(value) for value in values if value and not isinstance(value, bool | int | float)]
    return {name: found for name in named if (found := fingerprint(Path(name)))}


def _begun(out: Path | None) -> Path | None:
    """The folder in which torchrun began a run, and now starts its command again."""
    folders = [out] if out else [file.parent for file in Path("runs").glob("*/run.toml")]
    runs = [run for path in folders if (run := RunFolder(path)).exists] if restarted() else []
    return next((run.path for run in runs if run.job == job()), None)


def run_name(typed: PipelineSpec, preset: str) -> str:
    """What a run is called: all that was typed of its parts, and the preset if that added to them.

    So that two networks of the same keys have two names; the characters are those of file names.
    """
    name = re.sub("[:,]", ".", str(typed)).replace("/", "_")
    if len(name) > _LONGEST:
        name = f"{name[:_LONGEST]}~{blake2b(name.encode(), digest_size=3).hexdigest()}"
    return f"{name}@{preset}" if preset else name


def _free(name: str) -> Path:
    """`runs/NAME`, numbered where that is taken."""
    base = Path("runs")
    names = (base / name, *(base / f"{name}-{k}" for k in range(2, 10_000)))
    return next(path for path in names if not path.exists())


def _to_resume(*, pipeline: PipelineSpec, **words: Any) -> Path:
    """The newest run in `runs` that the words fit, else the newest of the same keys."""
    found = sorted(Path("runs").glob("*/run.toml"), key=lambda file: file.stat().st_mtime)
    runs = [(each.parent, RunFolder(each.parent).settings()) for each in reversed(found)]
    fit = [path for path, own in runs if not disagreements(own, pipeline=pipeline, **words)]
    keys = [node.key for node in pipeline.nodes.values()]
    alike = [
        path
        for path, own in runs
        if [node.key for node in parse_pipeline(own.pipeline).nodes.values()] == keys
    ]
    return next(iter([*fit, *alike]), Path("runs") / run_name(pipeline, ""))
