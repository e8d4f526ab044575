"""The formats that can be converted: a name, a line about it, and the module that reads it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from posezoo.hints import unknown


@dataclass(frozen=True, slots=True)
class Format:
    """How a format is read."""

    module: str  # in posezoo.data.convert, with the function `read`
    summary: str
    takes: frozenset[str] = frozenset()  # which options of some formats it has a use for
    motion: bool = False  # motion capture: `read` gives recordings, and no camera sees them

    @property
    def read(self) -> Callable[..., Any]:
        """The reader: (source, options) -> Reading, or (source, fps=, report=) -> recordings."""
        read: Callable[..., Any] = importlib.import_module(
            f"posezoo.data.convert.{self.module}"
        ).read
        return read


_LENS = frozenset({"cameras", "trust"})  # a camera file may be a pickle
_TRUST = frozenset({"trust"})
_PICTURES = frozenset({"images"})
_BODY = frozenset({"unit", "up"})

FORMATS = {
    "videopose3d": Format(
        "videopose3d", "VideoPose3D data_3d_*.npz (and data_2d_*_gt.npz), HumanEva too", _LENS
    ),
    "martinez": Format("martinez", "the h36m/ folder of 3d-pose-baseline (.h5)", _LENS),
    "h36m-fetch": Format("h36m_fetch", "processed/ of h36m-fetch (annot.h5, pictures)", _LENS),
    "mmpose-h36m": Format("mmpose_h36m", "mmpose h36m_train.npz, h36m_test.npz", _LENS | _PICTURES),
    "motionbert": Format("motionbert", "h36m_sh_conf_cam_source_final.pkl (needs --trust)", _LENS),
    "h36m-cdf": Format("h36m_cdf", "Human3.6M's own .cdf files (needs posezoo[convert])", _LENS),
    "mpi-inf-3dhp": Format("mpi_inf_3dhp", "annot.mat, annot_data.mat (needs posezoo[convert])"),
    "3dpw": Format("threedpw", "3DPW's sequenceFiles/*.pkl (needs --trust)", _TRUST | _PICTURES),
    "h3wb": Format("h3wb", "H3WB's h3wb_train.npz, the body of it", _LENS | _PICTURES),
    "coco": Format("coco", "COCO key points (.json): 17 or Halpe's 26; 2D only", _PICTURES),
    "mpii": Format("mpii", "MPII key points (.json, or its own .mat); 2D only", _PICTURES),
    "own": Format("own", "your own poses as .csv, .json or .npz (docs/data.md)", _LENS | _PICTURES),
    "asf-amc": Format(
        "asf_amc", "motion capture: .asf bodies and .amc motions", _BODY, motion=True
    ),
    "bvh": Format("bvh", "motion capture: .bvh", _BODY | {"root_offset", "names"}, motion=True),
}


def get_format(name: str) -> Format:
    """The format of that name.

    Raises:
        ValueError: there is none; the text lists those there are.
    """
    if name not in FORMATS:
        raise ValueError(unknown("format", name, FORMATS))
    return FORMATS[name]
