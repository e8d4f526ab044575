"""A store of walks, and what detectors would have found on its pictures."""

from __future__ import annotations

import numpy as np
import pytest

from posezoo.data.detections.adding import add_detections
from posezoo.data.detections.source import Ask
from posezoo.data.store.store_file import open_store
from posezoo.skeleton import get_skeleton


@pytest.fixture(scope="session")
def walks(make_walks, tmp_path_factory):
    return make_walks(tmp_path_factory.mktemp("walks") / "walks.h5")


@pytest.fixture(scope="session")
def seen(walks):
    """{subject: {sequence: [(F, 17, 2) of each camera]}}, off by some 3 px, two frames more."""
    store, rng = open_store(walks), np.random.default_rng(1)
    found: dict[str, dict[str, list[np.ndarray]]] = {}
    for person in ("S9", "S11"):
        for recording in ("Walking", "Walking 1"):
            for view in ("a", "b"):
                px = store["joints2d_px"][rows(store, person, recording, view)]
                px = np.concatenate([px, px[-2:]]) + rng.normal(0, 3, (14, 17, 2))
                found.setdefault(person, {}).setdefault(recording, []).append(px.astype(np.float32))
    return found


def rows(store, subject, sequence, view):
    names = {"subject": subject, "sequence": sequence, "view": view}
    chosen = [store.names(kind)[store[kind]] == name for kind, name in names.items()]
    return np.flatnonzero(np.all(chosen, 0))


@pytest.fixture
def add(walks, tmp_path):
    """Add a source to the walks; the store as it was, the report, and the new one opened."""

    def call(format_name, source, *, name="found", store=walks, joints=None, recording=None,
             trust=True, cameras=None, first_frame=0):  # fmt: skip
        out = tmp_path / f"{name}.h5"
        ask = Ask(
            path=source, joints=joints and get_skeleton(joints), recording=recording, trust=trust,
            first_frame=first_frame,
        )  # fmt: skip
        report = add_detections(store, out, name, format_name=format_name, ask=ask, cameras=cameras)
        return report, open_store(out)

    return call


@pytest.fixture
def found_of():
    """The px and confidences of a recording in a store."""

    def call(store, subject, sequence, view, name="found"):
        chosen = rows(store, subject, sequence, view)
        detection = store.detections[name]
        return detection.px.array[chosen], detection.confidence.array[chosen]

    return call
