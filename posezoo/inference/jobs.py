"""Many sources into a folder of results: read ahead, predicted in batches, written, gone on with.

Threads read what comes next and write what is done while networks look at what is there.

What cannot be read is reported in a line, and the rest goes on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import astuple, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import torch

import posezoo
from posezoo.inference.boxes import Boxes
from posezoo.inference.ledger import Ledger
from posezoo.inference.people import Prediction, VideoPrediction
from posezoo.inference.picture import Picture, read_picture
from posezoo.inference.predictor import Predictor
from posezoo.inference.results import get_ready, overwritten, result_files, write_results
from posezoo.inference.smoothing import Filter
from posezoo.inference.sources import Source
from posezoo.inference.video import LiveCamera, VideoFile
from posezoo.ranks import here


class Listener(Protocol):
    """Hears what happens."""

    def done(self, source: Source, prediction: Prediction | VideoPrediction | None) -> None:
        """A source is finished; None: it was finished before."""

    def failed(self, problem: str) -> None:
        """Something could not be used; one line."""

    def frame(self, source: Source, number: int, length: int | None) -> None:
        """A frame of a video is about to be looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Where results go and how they are made."""

    out: Path
    kinds: Sequence[str] = ()  # of files, beside JSON; see `posezoo.inference.results`
    boxes: Boxes = field(default_factory=Boxes)
    track: bool = True
    smooth: Filter | None = None
    restart: bool = False
    workers: int = 2  # threads that read pictures ahead, beside one that writes; 0: none at all


@dataclass(slots=True)
class Tally:
    """How a job went."""

    sources: int = 0  # that could be read
    people: int = 0  # in pictures, or tracks of videos
    failed: int = 0
    skipped: int = 0  # of `sources`: done before


def predict_sources(
    predictor: Predictor, sources: Sequence[Source], job: Job, listener: Listener
) -> Tally:
    """Predict every source and write its results; ranks take turns, and have the whole tally.

    Raises:
        ValueError: a result would overwrite a source, or the folder is a file.
        OSError: the folder cannot be written.
    """
    if taken := overwritten(sources, job.out, job.kinds):
        raise ValueError(f"a result would overwrite {taken}: take another --out")
    if job.out.is_file():
        raise ValueError(f"{job.out}: is a file, expected a folder: take another --out")
    job.out.mkdir(parents=True, exist_ok=True)
    ranks = here()
    ranks.wait()  # until all have found their sources, among which results may come to lie
    tally = _Worker(predictor, job, listener)(sources[ranks.turns])
    return Tally(*ranks.sum(torch.tensor(astuple(tally))).tolist())


class _Worker:
    def __init__(self, predictor: Predictor, job: Job, listener: Listener) -> None:
        self.predictor, self.job, self.listener = predictor, job, listener
        self.tally = Tally()
        settings = {
            "posezoo": posezoo.__version__,
            "pipeline": predictor.name,
            "weights": dict(predictor.loaded.weights),
            "lens": predictor.lens.facts,
            "flip": predictor.flip,
            "track": job.track,
            "smooth": job.smooth,
        }
        self.ledger = Ledger(job.out, settings)
        self.pool: ThreadPoolExecutor | None = None
        self.writing: deque[_Written] = deque()  # in the order of the sources

    def __call__(self, sources: Sequence[Source]) -> Tally:
        with ThreadPoolExecutor(1) if self.job.workers else nullcontext() as self.pool:
            if self.pool:
                self.pool.submit(get_ready, self.job.kinds)
            self._predict(sources)
            self._settle(0)
        return self.tally

    def _predict(self, sources: Sequence[Source]) -> None:
        todo = [source for source in sources if not self._done_before(source)]
        pictures = _read_ahead(
            [source for source in todo if source.kind == "picture"],
            workers=self.job.workers,
            ahead=self.job.workers + self.predictor.batch,
        )
        if first := list(islice(pictures, 1)):  # alone: whoever waits sees it as soon as may be
            self._pictures(first)
            self._settle(0)
        while some := list(islice(pictures, self.predictor.batch)):
            self._pictures(some)
        self._settle(0)
        for source in todo:
            if source.kind != "picture":
                self._video(source)

    def _done_before(self, source: Source) -> bool:
        files = result_files(self.job.out, source, self.job.kinds)
        people = self.ledger.people(source.stem, self._made_of(source), files)
        if people is None or self.job.restart:
            return False
        self.tally.sources += 1
        self.tally.skipped += 1
        self.tally.people += people
        self.listener.done(source, None)
        return True

    def _pictures(self, some: Sequence[tuple[Source, Picture | ValueError]]) -> None:
        """A batch: together, or one by one if one of them is refused."""
        whole = [(source, each) for source, each in some if isinstance(each, Picture)]
        for _, error in some:
            if isinstance(error, ValueError):
                self._failed(error)
        boxes = [self.job.boxes.of(source.name) for source, _ in whole]
        try:
            predictions = self.predictor.pictures([each for _, each in whole], boxes=boxes)
        except ValueError as error:
            if len(whole) == 1:
                self._failed(f"{whole[0][0].name}: {error}")
                return
            for each in whole:
                self._pictures([each])
            return
        for (source, picture), prediction in zip(whole, predictions, strict=True):
            self._write(source, prediction, len(prediction.people), picture)

    def _video(self, source: Source) -> None:
        try:
            video = VideoFile(source.name) if source.kind == "video" else LiveCamera(source.name)
            prediction = self.predictor.video(
                self._counted(source, video),
                boxes=self.job.boxes.of(source.name),
                track=self.job.track,
                smooth=self.job.smooth,
            )
        except ValueError as error:
            self._failed(error)
            return
        if video.damage:
            self._failed(video.damage)
        ids = {person.id for frame in prediction.frames for person in frame.people}
        self._write(source, prediction, len(ids))

    def _counted(self, source: Source, video: VideoFile | LiveCamera) -> Iterator[Picture]:
        for number, picture in enumerate(video):
            self.listener.frame(source, number, video.length)
            yield picture

    def _write(
        self,
        source: Source,
        prediction: Prediction | VideoPrediction,
        people: int,
        picture: Picture | None = None,
    ) -> None:
        self.tally.sources += 1
        self.tally.people += people
        given = prediction, self.job.out, source, self.job.kinds, picture
        done = self.pool.submit(write_results, *given) if self.pool else _now(write_results, *given)
        self.writing.append(_Written(source, prediction, people, done))
        self._settle(self.predictor.batch if self.pool else 0)

    def _settle(self, most: int) -> None:
        """Say what was written, until no more than so many are still to be.

        Raises:
            OSError: the folder cannot be written.
        """
        while self.writing and (len(self.writing) > most or self.writing[0].done.done()):
            written = self.writing.popleft()
            source = written.source
            try:
                written.done.result()
            except ValueError as error:  # a format that cannot hold it; JSON, the first, is there
                self._failed(f"{source.name}: {error}")
            else:
                self.ledger.add(source.stem, self._made_of(source), written.people)
            self.listener.done(source, written.prediction)

    def _failed(self, problem: ValueError | str) -> None:
        self.tally.failed += 1
        self.listener.failed(str(problem))

    def _made_of(self, source: Source) -> list[Any]:
        """What a result depends on beside the settings: the file as it is, and its boxes."""
        boxes = self.job.boxes.of(source.name)
        facts: list[Any] = [
            str(Path(source.name).resolve()),
            None if boxes is None else boxes.tolist(),
        ]
        if Path(source.name).is_file():
            stat = Path(source.name).stat()
            facts += [stat.st_size, stat.st_mtime_ns]
        return facts


@dataclass(frozen=True, slots=True)
class _Written:
    """A prediction whose files are being written."""

    source: Source
    prediction: Prediction | VideoPrediction
    people: int
    done: Future[None]


def _now(function: Callable[..., None], *given: Any) -> Future[None]:
    """As a pool's `submit`, but at once."""
    done: Future[None] = Future()
    try:
        function(*given)
    except ValueError as error:
        done.set_exception(error)
    else:
        done.set_result(None)
    return done


def _read_ahead(
    sources: Iterable[Source], *, workers: int, ahead: int
) -> Iterator[tuple[Source, Picture | ValueError]]:
    """Each picture, or why there is none, in order; threads decode those to come."""
    if not workers:
        yield from ((source, _read(source)) for source in sources)
        return
    waiting: deque[tuple[Source, Future[Picture | ValueError]]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for source in sources:
            waiting.append((source, pool.submit(_read, source)))
            if len(waiting) > ahead:
                first, future = waiting.popleft()
                yield first, future.result()
        while waiting:
            first, future = waiting.popleft()
            yield first, future.result()


def _read(source: Source) -> Picture | ValueError:
    try:
        return read_picture(source.name)
    except ValueError as error:
        return error
    except OSError as error:  # a file that may not be read, a disk that fails
        return ValueError(f"{source.name}: {error.strerror or error}")
