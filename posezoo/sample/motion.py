"""People who walk and run: invented bodies through the cycles of their activities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from posezoo.data.mocap.mocap_file import Recording
from posezoo.data.synthetic.body import bone_lengths, stand_up
from posezoo.data.synthetic.poses import cycle
from posezoo.inference.formats.tracks import Track
from posezoo.skeleton import H36M17

Floats: TypeAlias = NDArray[np.float64]

_GAITS = {"walk": (0.9, 1250.0, 4.0), "run": (1.35, 2600.0, 2.0)}  # cycles/s, mm/s, seconds
_Y_DOWN = np.array([[1.0, 0, 0], [0, 0, -1.0], [0, 1.0, 0]])  # of a point whose z is up


@dataclass(frozen=True, slots=True)
class Movement:
    """A person of the dataset `synthetic`, by number, who goes straight through the room."""

    person: int
    gait: str  # of _GAITS

    @property
    def name(self) -> str:
        """Who it is."""
        return f"P{self.person:02d}"

    def joints(
        self, fps: float
    ) -> Floats:  # (T, 17, 3) mm, world frame, z up, towards x, the floor at z = 0
        """Every frame."""
        pace, speed, seconds = _GAITS[self.gait]
        time = np.arange(round(fps * seconds)) / fps
        angles = cycle(self.gait, 2 * np.pi * (pace * time + 0.37 * self.person))
        joints = stand_up(angles, bone_lengths(np.full(len(time), self.person)))
        joints[..., 0] += speed * (time - seconds / 2)[:, None]
        return joints

    def recording(self, fps: float) -> Recording:
        """As a trial of motion capture."""
        joints = self.joints(fps).astype(np.float32)
        return Recording(
            subject=self.name,
            trial=f"{self.gait}_01",
            action=self.gait,
            fps=fps,
            positions_mm=joints,
            frame=np.arange(len(joints)),
        )

    def track(self, fps: float) -> Track:
        """As seen by a camera that stands level, at the origin."""
        joints = self.joints(fps) @ _Y_DOWN.T
        root = joints[:, :1]
        return Track(
            id=self.person,
            skeleton=H36M17,
            fps=fps,
            first_frame=0,
            joints3d=joints - root,
            root_mm=root[:, 0],
        )
