"""The training loop. It runs the stages of a strategy and knows none by name."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from itertools import repeat

import torch
from torch import Tensor

from posezoo.assembly import build_strategy, dataset_for, training_data
from posezoo.contracts import Batch, Dataset, Stage
from posezoo.data.augment.augmentation import Augmentation, Augmented
from posezoo.data.augment.spec import parse_augment
from posezoo.data.complete import describe_left_out, left_out
from posezoo.data.loading import ordered_batches, training_batches
from posezoo.evaluation.evaluate import evaluate
from posezoo.evaluation.open_run import computes_in_bf16
from posezoo.evaluation.protocol import find_protocol
from posezoo.pipeline import Pipeline
from posezoo.ranks import here
from posezoo.registry import parse_node
from posezoo.settings import Settings
from posezoo.training.batch_norm import average_statistics, sync
from posezoo.training.checkpoint import (
    TrainingState,
    load_state,
    save_checkpoint,
)
from posezoo.training.distributed import (
    StageLosses,
    describe_ranks,
    require_shares,
    stage_losses,
)
from posezoo.training.ema import Ema
from posezoo.training.finite import faulty_items, first_not_finite
from posezoo.training.fitting import require_fit
from posezoo.training.loggers import Logger
from posezoo.training.loss_terms import describe_losses
from posezoo.training.meter import Meter
from posezoo.training.optimizer import Optimizer
from posezoo.training.progress import Progress
from posezoo.training.run_folder import RunFolder
from posezoo.training.signals import Stopped, StopRequest
from posezoo.typed_files import typed

_POSES_AT_ONCE = 512  # made together, where there are no pictures


class Training:
    """One run: what it trains, on what, and how far it has come."""

    def __init__(
        self,
        pipeline: Pipeline,
        settings: Settings,
        run: RunFolder,
        *,
        device: torch.device,
        workers: int,
        loggers: Sequence[Logger],
    ) -> None:
        self.settings, self.run, self.device, self.workers = settings, run, device, workers
        self.loggers, self.ranks = loggers, here()
        require_shares(settings, self.ranks)
        self.pipeline = pipeline.to_device(device)
        if settings.batch_norm == "sync" and self.ranks.size > 1:
            sync(self.pipeline, device)
        self.own = self.ranks.share(settings.batch_size)  # of the items of each batch
        self.bf16 = computes_in_bf16(settings, pipeline, device)
        self.data = parse_node(settings.data)
        self.train_data: Dataset = self._training_data()
        self._note_left_out("train", self.train_data)
        self.augment: Augmentation | None = None
        if settings.augment:
            told = pipeline.skeleton2d
            self.augment = parse_augment(settings.augment, pipeline.skeleton, told=told)
            augmented = Augmented(self.train_data, self.augment, seed=settings.seed)
            augmented[0]  # refuses changes that this data cannot take
            if device.type == "cpu":  # item by item in the loader's workers; a GPU, whole batches
                self.train_data = augmented
        held_out = self.data.with_params(split="val")
        self.val_data = dataset_for(pipeline, held_out, image_size=settings.image_size, seed=0)
        self._note_left_out("val", self.val_data)
        self.stages = build_strategy(settings.strategy).stages(pipeline)
        self.protocol = find_protocol("poses")
        self.eval_every = settings.eval_every or math.ceil(settings.steps / 5)
        self.step, self.best_step, self.best = 0, 0, math.inf  # the best is a stage's own
        self.ema = Ema(self.pipeline, settings.ema) if settings.ema else None
        self.saved = ""  # which step is in last/, in words
        self.restored: TrainingState | None = None  # for the optimiser of the stage to come

    def start(self, weights: Mapping[str, Tensor] | None = None) -> None:
        """Give the pipeline the statistics of the training data, and then weights by its names.

        A part that comes trained keeps the statistics that it was trained with.
        """
        if self.ranks.is_first:
            self.run.rewind(0)
            self._fit_and_load(weights or {})
        self.ranks.copy_state(self.pipeline)
        if self.ema:
            self.ema.restore(self.pipeline.state_dict(), updates=0)

    def _fit_and_load(self, weights: Mapping[str, Tensor]) -> None:
        data = self._training_data(pictures=False)
        count = min(self.settings.normalisation_samples, len(data))
        indices = range(0, len(data), max(1, len(data) // count))
        (batch,) = ordered_batches(data, indices=indices, batch_size=len(indices))
        self.pipeline.fit_normalisation(batch.to(self.device))
        self.pipeline.load_state_dict(dict(weights), strict=False)

    def resume(self) -> None:
        """Take up the last checkpoint: weights, optimiser, schedule, averages, random numbers.

        Raises:
            ValueError: it is of another run, or this run's best one is gone.
        """
        model, state = load_state(self.run.last)
        typed(state.values, Progress, where=f"{self.run.last / 'state.json'}")
        self._require_own(state, model)
        self.pipeline.load_state_dict(model)
        self.step, self.best_step = state.values["step"], state.values["best_step"]
        self.best = float(state.values["best"])
        self.saved = f"{self.run.last} is of step {self.step}"
        if self.ranks.is_first:
            self.run.rewind(self.step)
        torch.set_rng_state(state.tensors["rng.cpu"])
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(state.tensors["rng.cuda"])
        if self.ema:
            self.ema.restore(_below("ema.", state.tensors), state.values["ema_updates"])
        self.restored = state

    def _require_own(self, state: TrainingState, model: dict[str, Tensor]) -> None:
        own, its = asdict(self.settings), state.values.get("settings", {})
        if differ := [name for name in own if its.get(name, own[name]) != own[name]]:
            said = ", ".join(f"{name}={its[name]}, run.toml has {own[name]}" for name in differ)
            raise ValueError(f"{self.run.last} is of another run: {said}. Bring its own back")
        require_fit(self.pipeline.state_dict(), model, origin=str(self.run.last))
        mine = {"rng.cpu": torch.get_rng_state()}
        mine |= {
            f"ema.{name}": value for name, value in (self.ema.state.items() if self.ema else ())
        }
        beside = {n: t for n, t in state.tensors.items() if n in mine or n.startswith("ema.")}
        require_fit(mine, beside, origin=f"{self.run.last / 'state.safetensors'}")
        if math.isfinite(float(state.values["best"])) and not self.run.best.exists():
            raise ValueError(
                f"{self.run.best}: missing, and {self.run.last} goes on after it. Bring it back, "
                "or start a new run with another --out"
            )

    def __call__(self, stop: StopRequest) -> None:
        """Train from `step` to the end.

        Raises:
            Stopped: a signal asked for it; the state is saved.
            ValueError: the loss or a weight is no longer a number; the last checkpoint is from
                before.
        """
        end = 0
        for stage in self.stages:
            start, end = end, end + round(stage.share * self.settings.steps)
            if stage is self.stages[-1]:
                end = self.settings.steps
            if self.step < end:
                self._run_stage(stage, start, end, stop)

    def _run_stage(self, stage: Stage, start: int, end: int, stop: StopRequest) -> None:
        optimizer, meter, losses = self._begin(stage, start, end)
        for loaded in meter.waiting(self._batches(end)):
            batch = loaded.to(self.device, non_blocking=True)
            if self.augment and self.device.type != "cpu":
                first = self.step * self.settings.batch_size + self.own.start
                batch = self.augment(batch, seed=self.settings.seed, index=first)
            if self.step == start:
                self._introduce(stage, end - start, batch)
            self.ranks.draw_apart(self.settings.seed, self.step)
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
                terms = losses(batch, (self.step - start) / (end - start))
            self.step += 1
            meter.add(self._whole(terms), self.settings.batch_size)
            if self.device.type == "cpu":  # a GPU would be waited for: it is asked with the log
                self._require_finite(meter.sums, batch)
            rate = optimizer.update(torch.stack([*terms.values()]).sum(), self.step - 1 - start)
            average_statistics(self.pipeline, self.ranks)
            if self.ema:
                self.ema.update(self.pipeline)
            due = self.step % self.eval_every == 0 or self.step == end
            if due or self.step % self.settings.log_every == 0:
                self._require_finite(meter.sums, batch, optimizer if due else None)
                self._log(stage, meter, rate)
            if due:
                self._evaluate(stage, optimizer)
                if self._waited_enough() and self.step < end:
                    self._note(f"no better evaluation since step {self.best_step}: stopped early")
                    self.step = end
            # Looked at once, by all: one that comes later waits for the next step.
            asked = self.ranks.greatest(stop.signum)
            if asked and not due:
                self._require_finite(meter.sums, batch, optimizer)
            if due or asked:
                with stop.saving():
                    self._save(optimizer, meter)
            if asked:
                raise Stopped(asked, f"{self.saved}; go on with --resume")
            if self.step == end:
                return

    def _training_data(self, **view: bool) -> Dataset:
        return training_data(
            self.pipeline,
            self.data,
            mix=self.settings.mix,
            mix_share=self.settings.mix_share,
            image_size=self.settings.image_size,
            seed=self.settings.seed,
            **view,
        )

    def _whole(self, terms: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The terms of the whole batch, of those of every rank's share."""
        values = self.ranks.mean(torch.stack([term.detach().float() for term in terms.values()]))
        return dict(zip(terms, values, strict=True))

    def _begin(self, stage: Stage, start: int, end: int) -> tuple[Optimizer, Meter, StageLosses]:
        """Thaw what learns and freeze the rest; take up the state of a resumed run."""
        for name, part in self.pipeline.parts.items():
            part.requires_grad_(name in stage.trains)
        self._set_mode(stage)
        learning = [p for p in self.pipeline.parameters() if p.requires_grad]
        optimizer, meter = Optimizer(learning, self.settings, end - start), Meter()
        if self.step == start:
            self.best, self.best_step = math.inf, start
        elif self.restored:
            memory = _below("optimizer.", self.restored.tensors)
            origin = str(self.run.last / "state.safetensors")
            optimizer.restore(memory, self.restored.values["schedule"], origin=origin)
            meter.restore(self.restored.values["meter"])
        self.restored = None
        return optimizer, meter, stage_losses(self.pipeline, stage, self.ranks)

    def _introduce(self, stage: Stage, steps: int, batch: Batch) -> None:
        if said := describe_ranks(self.pipeline, self.settings, self.ranks, self.device.type):
            self._note(said)
        self._note(f"stage {stage.name}: {', '.join(stage.trains)} for {steps} steps")
        for line in describe_losses(self.pipeline, stage, batch):
            self._note(line)

    def _batches(self, last: int) -> Iterable[Batch]:
        batches = training_batches(
            self.train_data,
            batch_size=self.settings.batch_size,
            seed=self.settings.seed,
            first=0 if self.settings.overfit_one_batch else self.step,
            last=last,
            limit=self.settings.limit,
            workers=self.workers,
            pin=self.device.type == "cuda",
            share=self.own,
            steps_at_once=self._steps_at_once(),
        )
        if self.settings.overfit_one_batch:
            return repeat(next(iter(batches)), last - self.step)
        return batches

    def _steps_at_once(self) -> int:
        """Poses cost mostly their Python, so many are made together; pictures are work enough."""
        if self.pipeline.has_image or self.settings.overfit_one_batch:
            return 1
        poses = self.settings.batch_size * self.pipeline.lifter.frames
        return max(1, _POSES_AT_ONCE // poses)

    def _set_mode(self, stage: Stage) -> None:
        """Training mode for the parts that learn; the others predict as they will at test time."""
        self.pipeline.eval()
        for name in stage.trains:
            self.pipeline.parts[name].train()

    def _log(self, stage: Stage, meter: Meter, rate: float) -> None:
        losses, timing = meter.read()
        record = {"step": self.step, "stage": stage.name, "lr": rate, "loss": sum(losses.values())}
        record |= {f"loss_{name}": value for name, value in losses.items()}
        for logger in self.loggers:
            logger.step(record, timing)

    def _require_finite(
        self,
        losses: Mapping[str, Tensor | float],
        batch: Batch,
        optimizer: Optimizer | None = None,  # to look at all that would be saved
    ) -> None:
        found = {name: float(value) for name, value in losses.items()}
        if not math.isfinite(sum(found.values())):
            what = f"the loss became {sum(found.values())} at step {self.step} ({found})"
        elif optimizer and (
            name := first_not_finite(self.pipeline.state_dict() | optimizer.tensors())
        ):
            what = f"'{name}' holds NaN or infinity at step {self.step}"
        else:
            return
        own = faulty_items(batch).encode()
        faults = "; ".join(each.decode() for each in self.ranks.gather(own) if each)
        raise ValueError(
            f"{what}. Nothing of it was saved: {self.saved or 'there is no checkpoint yet'}. "
            + (f"The data has NaN: {faults}" if faults else "Try a lower --lr or --set grad_clip=1")
        )

    def _waited_enough(self) -> bool:
        patience = self.settings.early_stop * self.eval_every
        return bool(patience) and self.step - self.best_step >= patience

    def _evaluate(self, stage: Stage, optimizer: Optimizer) -> None:
        kept = None
        if self.ema:
            kept = {name: value.clone() for name, value in self.pipeline.state_dict().items()}
            self.pipeline.load_state_dict(self.ema.state)
        evaluation = evaluate(
            self.pipeline,
            self.val_data,
            self.protocol,
            data=str(self.data),
            batch_size=self.settings.batch_size,
            device=self.device,
            bf16=self.bf16,
            max_samples=self.settings.eval_samples,
        )
        for logger in self.loggers:
            logger.evaluation(self.step, evaluation)
        # While only the head learns, the lifter's error says nothing of what is learned.
        only_2d = "lifter" not in stage.trains and "error_2d_px" in evaluation.total
        error = evaluation.total["error_2d_px" if only_2d else "mpjpe_mm"]
        optimizer.schedule.observe(error)
        if error < self.best:
            self.best, self.best_step = error, self.step
            if self.ranks.is_first:
                save_checkpoint(
                    self.run.best,
                    self.pipeline.state_dict(),
                    pipeline=self.pipeline,
                    provenance=self._provenance() | {"val": evaluation.total},
                )
        if kept is not None:
            self.pipeline.load_state_dict(kept)
        self._set_mode(stage)

    def _save(self, optimizer: Optimizer, meter: Meter) -> None:
        if self.ranks.is_first:
            self._write_last(optimizer, meter)
        self.saved = f"{self.run.last} is of step {self.step}"

    def _write_last(self, optimizer: Optimizer, meter: Meter) -> None:
        tensors = {"rng.cpu": torch.get_rng_state()}
        if self.device.type == "cuda":
            tensors["rng.cuda"] = torch.cuda.get_rng_state()
        tensors |= {f"optimizer.{name}": value for name, value in optimizer.tensors().items()}
        if self.ema:
            tensors |= {f"ema.{name}": value for name, value in self.ema.state.items()}
        values = {
            "step": self.step,
            "settings": asdict(self.settings),
            "schedule": optimizer.schedule.state(),
            "meter": meter.state(),
            "best": repr(self.best),
            "best_step": self.best_step,
            "ema_updates": self.ema.updates if self.ema else 0,
        }
        self.run.flush()
        save_checkpoint(
            self.run.last,
            self.pipeline.state_dict(),
            pipeline=self.pipeline,
            provenance=self._provenance(),
            state=TrainingState(tensors=tensors, values=values),
        )

    def _provenance(self) -> dict[str, object]:
        wanted = ("strategy", "data", "preset", "seed", "image_size", "batch_size")
        return {"step": self.step} | {name: getattr(self.settings, name) for name in wanted}

    def _note_left_out(self, split: str, data: Dataset) -> None:
        if count := left_out(data):
            self._note(f"{split}: {describe_left_out(count, len(data) + count)}")

    def _note(self, text: str) -> None:
        for logger in self.loggers:
            logger.note(text)


def _below(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
