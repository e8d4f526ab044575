"""Windows of consecutive poses: pose i with the frames around it that a lifter must see."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class Clips:
    """Where each sequence begins and ends among rows of poses.

    Args:
        sequence: which sequence each row belongs to; equal neighbours belong together.
        frame: of the source, rising within a sequence. A gap wider than the sequence's usual step
            ends it: a window never jumps.
        frames: how long a window is.
        future: how many of its frames come after the pose itself.
    """

    def __init__(
        self,
        sequence: NDArray[np.integer],  # (N,)
        frame: NDArray[np.integer],  # (N,)
        *,
        frames: int,
        future: int,
    ) -> None:
        if not 0 <= future < frames:
            raise ValueError(f"frames={frames}, future={future}: expected 0 <= future < frames")
        self.offsets = np.arange(frames) - (frames - 1 - future)
        starts = _starts(sequence, frame) if frames > 1 else np.arange(len(sequence))
        number = np.searchsorted(starts, np.arange(len(sequence)), side="right") - 1
        ends = np.append(starts[1:], len(sequence))
        self._first, self._last = starts[number], ends[number] - 1

    @property
    def present(self) -> int:
        """Which frame of a window is the pose itself."""
        return int(-self.offsets[0])

    def window(
        self,
        row: NDArray[np.int64],  # (N,)
    ) -> NDArray[np.int64]:  # (N, T) rows, the first and last pose repeated at the ends
        """The rows of a pose's context."""
        return (row[:, None] + self.offsets).clip(self._first[row, None], self._last[row, None])


def _starts(
    sequence: NDArray[np.integer], frame: NDArray[np.integer]
) -> NDArray[np.int64]:  # (S,) the first row of each unbroken run
    step = np.diff(frame)
    same = sequence[1:] == sequence[:-1]
    usual = np.ones(len(step))
    for name in np.unique(sequence):
        steps = step[same & (sequence[1:] == name)]
        if len(steps):
            usual[sequence[1:] == name] = np.median(steps)
    # Source frames do not divide evenly by every rate: a step may be half as long again.
    unbroken = same & (step > 0) & (step <= 1.5 * usual)
    return np.concatenate([[0], np.flatnonzero(~unbroken) + 1])
