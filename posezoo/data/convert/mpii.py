"""MPII key points: the list in `train.json` or `valid.json`, pictures by --images. 2D only.

Each person has `image`, `joints` (16 of x, y) and `joints_vis`. The numbers are MATLAB's, counted
from 1: one pixel is subtracted from x and y, no half pixel. A joint with `joints_vis` 0 is not
labelled; this file does not say which labelled joints are hidden.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from posezoo.data.convert.people2d import Person, people_pieces
from posezoo.data.convert.recipe import Options, Reading, understood
from posezoo.data.text_file import read_json
from posezoo.skeleton import SKELETONS

_LAYOUT = "a list of {image, joints [16][2], joints_vis [16]}"


def read(source: Path, options: Options) -> Reading:
    """A piece for each group of pictures.

    Raises:
        ValueError: no such file, or no folder of pictures.
    """
    with understood(source, _LAYOUT):
        people = []
        for number, each in enumerate(read_json(source)):
            joints = np.array(each["joints"], np.float64)
            labelled = np.array(each["joints_vis"], np.float64) > 0
            if joints.shape != (16, 2) or labelled.shape != (16,):
                raise ValueError(
                    f"{source}: person {number} has joints {joints.shape} and joints_vis "
                    f"{labelled.shape}; expected {_LAYOUT}"
                )
            px = np.where(labelled[:, None], joints - 1, np.nan)
            people.append(Person(each["image"], f"mpii-{number}", px, labelled))
    skeleton = SKELETONS["mpii16"]
    return Reading(skeleton, people_pieces(people, skeleton, "mpii", options), [source])
