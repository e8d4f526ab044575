"""A contact sheet is drawn of what there is: pictures and 3D, 2D alone, motion capture."""

from __future__ import annotations

import shutil
import struct
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from posezoo.data.inspect.evidence import load_store
from posezoo.data.inspect.sheet import _choose, draw_sheet
from posezoo.data.store.store_writer import export
from posezoo.data.synthetic.synthetic import Synthetic


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("sheet") / "people.h5"
    export(Synthetic(split="all", image_size=96, people=5, items=12), path, 12)
    return path


def drawn(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def colour_share(pixels, colour):
    return (np.abs(pixels - np.array(colour)).sum(-1) < 30).mean()


def test_a_sheet_has_a_cell_for_each_pose_and_both_sides_colours(store, tmp_path):
    assert draw_sheet(store, tmp_path / "sheet.png", items=6) == 6
    pixels = drawn(tmp_path / "sheet.png")
    assert pixels.shape == (522, 1728, 3)  # two lines of 4 cells of 3.6 x 2.0 inches, and a title
    assert colour_share(pixels, (217, 95, 2)) > 0.001
    assert colour_share(pixels, (31, 120, 180)) > 0.001


def test_a_picture_of_more_pixels_than_any_camera_has_is_not_decoded(store, tmp_path):
    """A PNG that says 60,000 x 60,000: 10.8 GB of RGB."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk
    png += struct.pack(">I", zlib.crc32(chunk))
    path = Path(shutil.copy(store, tmp_path))
    with h5py.File(path, "r+") as file:
        assert file["picture_end"][0] > len(png)
        file["pictures"][: len(png)] = np.frombuffer(png, np.uint8)
    with pytest.raises(ValueError, match=r"people\.h5: the picture of item 0 (has|is)") as error:
        [load_store(path).picture(row) for row in range(12)]
    assert str(error.value).isprintable()


def test_people_come_in_turn(store):
    evidence = load_store(store)
    people = evidence.code["subject"][_choose(evidence, len(evidence.names["subject"]), 0)]
    assert sorted(people) == [*range(len(evidence.names["subject"]))]


def test_a_store_without_3d_labels_is_drawn_in_2d(store, tmp_path):
    path = tmp_path / "flat.h5"
    path.write_bytes(store.read_bytes())
    with h5py.File(path, "r+") as file:
        file["labelled3d"][...] = 0
        file["labelled2d"][:, 9:] = 0
    assert draw_sheet(path, tmp_path / "flat.png", items=1) == 1
    whole, flat = (
        drawn(p) for p in (tmp_path / "flat.png", _sheet_of_one(store, tmp_path / "w.png"))
    )
    assert (whole[:, 300:] < 200).mean() < (flat[:, 300:] < 200).mean()


def _sheet_of_one(store, out):
    draw_sheet(store, out, items=1)
    return out


def test_motion_capture_is_drawn_from_two_sides(write_mocap, tmp_path):
    path = write_mocap()
    assert draw_sheet(path, tmp_path / "mocap.svg", items=2) == 2
    assert b"<svg" in (tmp_path / "mocap.svg").read_bytes()


def test_an_ending_that_cannot_be_drawn_is_refused(store, tmp_path):
    with pytest.raises(ValueError, match=r"cannot draw \.bmp; use \.png, \.pdf, \.svg"):
        draw_sheet(store, tmp_path / "sheet.bmp")
