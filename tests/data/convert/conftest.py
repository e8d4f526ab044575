"""A tiny studio: one person of 32 joints, two cameras, and their projection written out by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from benchmarks import fuzz_studio
from benchmarks.fuzz_studio import LENSES, PLACES, TURNS, USED
from posezoo.data.convert.conversion import convert
from posezoo.data.convert.recipe import Options
from posezoo.data.store.store_file import open_store

STANDING_MM = np.array([
    (0, 0, 930), (-110, 0, 920), (-120, -10, 490), (-125, 20, 90),
    (110, 0, 920), (120, -10, 490), (125, 20, 90),
    (0, 10, 1160), (0, 20, 1400), (0, 0, 1500), (0, -10, 1600),
    (150, 20, 1390), (300, 30, 1180), (420, 0, 1000),
    (-150, 20, 1390), (-300, 30, 1180), (-420, 0, 1000),
], float)  # fmt: skip


class Studio:
    """Poses in the world, and what each camera makes of them."""

    used, views, lenses = USED, list(LENSES), LENSES
    turns, places = TURNS, PLACES

    def __init__(self, frames: int) -> None:
        rng = np.random.default_rng(1)
        world = np.zeros((frames, 32, 3))
        world[:] = rng.normal((0, 0, 1000), 300, (32, 3))
        world[:, USED] = STANDING_MM + rng.normal(0, 30, (frames, 17, 3))
        world += np.arange(frames)[:, None, None] * np.array([40.0, 25, 0])
        self.world = world  # (F, 32, 3) mm, z up

    def mm(self, camera: str) -> np.ndarray:  # (F, 32, 3) mm, camera frame
        return (self.world - PLACES[camera]) @ TURNS[camera].T

    def px(self, camera: str, *, distorted: bool = True) -> np.ndarray:  # (F, 32, 2)
        fx, fy, cx, cy, k1, k2, k3, p1, p2 = LENSES[camera]
        points = self.mm(camera)
        x, y = points[..., 0] / points[..., 2], points[..., 1] / points[..., 2]
        if distorted:
            r = x * x + y * y
            gain = 1 + k1 * r + k2 * r**2 + k3 * r**3 + p1 * y + p2 * x
            x, y = x * gain + p2 * r, y * gain + p1 * r
        return np.stack([fx * x + cx, fy * y + cy], -1)


@pytest.fixture(scope="session")
def studio():
    return Studio(12)


@pytest.fixture
def cameras(tmp_path):
    """The camera file of docs/data.md, for S1 and S9."""
    path = tmp_path / "cameras.json"
    path.write_text(json.dumps(fuzz_studio.cameras()))
    return path


@pytest.fixture
def convert_to(tmp_path):
    """Convert, and open what comes of it; nothing else may be left beside it."""

    def call(name, source, *, val="", **options):
        out = tmp_path / "out" / "store.h5"
        report = convert(name, source, out, options=Options(**options), val=val)
        assert [path.name for path in out.parent.iterdir()] == ["store.h5"]
        return open_store(out), report

    return call


@pytest.fixture
def refuses(tmp_path):
    """A conversion is refused with that text and leaves nothing behind."""

    def call(name, source, text, **options):
        out = tmp_path / "none" / "store.h5"
        with pytest.raises(ValueError, match=text):
            convert(name, source, out, options=Options(**options))
        assert not out.parent.exists() or not any(out.parent.iterdir())

    return call


@pytest.fixture
def same_as():
    """The store's rows of a view are the studio's, to 0.01 mm and 0.01 px."""

    def call(store, view, mm, px):
        rows = store.names("view")[store["view"]] == view
        found = store["joints3d_mm"][rows] + store["root_mm"][rows][:, None].astype(float)
        assert np.abs(found - mm).max() < 0.01
        assert np.abs(store["joints2d_px"][rows] - px).max() < 0.01
        assert store["labelled3d"][rows].all()
        assert store["labelled2d"][rows].all()

    return call


@pytest.fixture
def save_picture():
    def save(path, width=1000, height=1002):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (width, height), (90, 120, 60)).save(path)

    return save
