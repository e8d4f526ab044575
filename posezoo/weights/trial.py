"""One forward of an imported pipeline, on an invented person or picture."""

from __future__ import annotations

import torch

from posezoo.camera import Camera
from posezoo.pipeline import Pipeline

_SIDE_PX = 256  # of a picture for a network that takes any
