"""The frames of a video, or of a camera at this machine, one by one and upright.

Videos are read by PyAV (pip install 'posezoo[video]'), cameras by OpenCV where it is installed.
Times are the file's own: the frames of a telephone's video do not follow each other evenly.
"""

from __future__ import annotations

import importlib
import itertools
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from posezoo.inference.picture import Picture, check_size

SUFFIXES = frozenset(".avi .m4v .mkv .mov .mp4 .mpeg .mpg .mts .webm .wmv".split())

_FEW = "no frames could be read"


class VideoFile:
    """A video's pictures. Iterating decodes; nothing is kept.

    Raises:
        ValueError: no such file, PyAV is missing, or it is no video.
    """

    def __init__(self, path: str | Path) -> None:
        self._av = _import("av", "reading videos", "pip install 'posezoo[video]'")
        self.path = Path(path)
        if not self.path.is_file():
            raise ValueError(f"{path}: no such file")
        if not self.path.stat().st_size:
            raise ValueError(f"{path}: is empty")
        with self._open() as container:
            stream = self._stream(container)
            self.fps = float(stream.average_rate or stream.guessed_rate or 0)
            self.length = stream.frames or None  # as the file says; None: it does not
        if not self.fps > 0:
            raise ValueError(f"{path}: {_FEW}")
        self.damage = ""  # once it has been read: why the rest was not

    def __iter__(self) -> Iterator[Picture]:
        """The frames that can be read.

        Raises:
            ValueError: not one can.
        """
        self.damage, number = "", 0
        with self._open() as container:
            stream = self._stream(container)
            stream.thread_type = "AUTO"
            try:
                begin = None
                for frame in container.decode(stream):
                    check_size(frame.width, frame.height)
                    at = frame.time if frame.time is not None else number / self.fps
                    begin = at if begin is None else begin
                    yield self._picture(frame, number, at - begin)
                    number += 1
            except self._av.error.FFmpegError as error:
                self.damage = f"{self.path}: is damaged after frame {number - 1} ({_reason(error)})"
            except ValueError as error:
                raise ValueError(f"{self.path}: {error}") from error
        if not number:
            raise ValueError(self.damage or f"{self.path}: {_FEW}")

    def _picture(self, frame: Any, number: int, time_s: float) -> Picture:
        quarters = round(frame.rotation / 90) % 4  # counterclockwise, as NumPy turns
        pixels = np.rot90(frame.to_ndarray(format="rgb24"), quarters)
        return Picture(
            pixels=np.ascontiguousarray(pixels),
            source=str(self.path),
            frame=number,
            time_s=float(time_s),
        )

    def _open(self) -> Any:
        try:
            return self._av.open(str(self.path), metadata_errors="replace")
        except (self._av.error.FFmpegError, UnicodeDecodeError) as error:
            raise ValueError(f"{self.path}: is not a video ({_reason(error)})") from error

    def _stream(self, container: Any) -> Any:
        if not container.streams.video:
            container.close()
            raise ValueError(f"{self.path}: has no pictures, only sound or text")
        stream = container.streams.video[0]
        if stream.codec_context is None:
            container.close()
            raise ValueError(f"{self.path}: is of a codec that PyAV does not know")
        if stream.width and stream.height:  # where the file says it, before a frame is decoded
            try:
                check_size(stream.width, stream.height)
            except ValueError as error:
                container.close()
                raise ValueError(f"{self.path}: {error}") from error
        return stream


class LiveCamera:
    """A camera by its number. Iterating ends when it does, or by Ctrl-C: nothing is lost then."""

    length = None
    damage = ""

    def __init__(self, number: int | str) -> None:
        self.number = int(number)
        self._cv2 = _import("cv2", "a camera", "pip install opencv-python-headless")
        self.fps = 30.0  # until it is measured

    def __iter__(self) -> Iterator[Picture]:
        """Frames as they come.

        Raises:
            ValueError: no such camera.
        """
        capture = self._cv2.VideoCapture(self.number)
        stopped = threading.Event()
        listens = threading.current_thread() is threading.main_thread()
        before = signal.signal(signal.SIGINT, lambda *_: stopped.set()) if listens else None
        try:
            if not capture.isOpened():
                raise ValueError(f"camera {self.number}: there is none, or another program has it")
            begin = time.monotonic()
            for count in itertools.count():
                there, pixels = capture.read()
                if not there or stopped.is_set():
                    break
                now = time.monotonic() - begin
                self.fps = count / now if count else self.fps
                yield Picture(
                    pixels=np.ascontiguousarray(pixels[..., ::-1]),  # OpenCV has BGR
                    source=f"camera {self.number}",
                    frame=count,
                    time_s=now,
                )
        finally:
            if listens:
                signal.signal(signal.SIGINT, before)
            capture.release()


def _import(module: str, purpose: str, command: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ValueError(f"{purpose} needs the package {module}: {command}") from error


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)
