import errno
import os
from collections import namedtuple
from dataclasses import replace

import h5py
import pytest
import torch

from posezoo.data.mocap.mocap import Mocap
from posezoo.data.store import store_writer
from posezoo.data.store.pictures import encode_jpeg
from posezoo.data.store.pose_sequence import PoseSequence
from posezoo.data.store.store import Store
from posezoo.data.store.store_file import LAYOUT
from posezoo.data.store.store_writer import export, write_store

JPEG = encode_jpeg(torch.zeros(3, 1000, 1000, dtype=torch.uint8))


@pytest.fixture
def poses(write_mocap):
    return Mocap(path=str(write_mocap()), split="all")


def write(path, samples, **options):
    sequences = (
        PoseSequence.single(s, jpeg, sequence=f"{k}") for k, (s, jpeg) in enumerate(samples)
    )
    write_store(path, sequences, skeleton=Mocap.skeleton, **options)


def test_any_dataset_becomes_a_store(poses, tmp_path):
    export(poses, tmp_path / "poses.h5", 10, val="anna", licence="CC0", credit="nobody")
    store = Store(path=str(tmp_path / "poses.h5"), split="val")
    assert (len(store), store.subjects) == (10, ("anna",))
    assert torch.equal(store[4].joints3d, poses[4].joints3d)
    with pytest.raises(ValueError, match="holds no pictures; use image_size=0"):
        Store(path=str(tmp_path / "poses.h5"), split="val", image_size=64)
    with h5py.File(tmp_path / "poses.h5") as file:
        assert (file.attrs["licence"], file.attrs["credit"]) == ("CC0", "nobody")
        assert all(file[name].chunks is None for name in LAYOUT)


def test_pictures_of_a_dataset_are_kept(poses, tmp_path):
    class Painted:
        skeleton = poses.skeleton

        def __getitem__(self, index):
            red = torch.zeros(3, 1000, 1000, dtype=torch.uint8)
            red[0] = 200
            return replace(poses[index], image=red)

    export(Painted(), tmp_path / "red.h5", 2, val="anna")
    image = Store(path=str(tmp_path / "red.h5"), split="val", image_size=16)[1].image
    assert (image[0].int() - 200).abs().max() <= 2
    assert image[1:].max() <= 2


def test_joints_off_the_picture_are_not_visible(poses, tmp_path):
    small = encode_jpeg(torch.zeros(3, 2, 2, dtype=torch.uint8))
    write(tmp_path / "small.h5", [(poses[0], small)], val="anna")
    store = Store(path=str(tmp_path / "small.h5"), split="val")
    assert (int(store[0].visible.sum()), store.joints_outside) == (0, 17)


@pytest.mark.parametrize(
    ("change", "jpeg", "message"),
    [
        (
            {"joints3d": torch.zeros(1, 15, 3)},
            JPEG,
            r"clip 1 \(.*\): joints3d_mm is \(1, 15, 3\), expected",
        ),
        ({"joints3d": torch.zeros(9, 17, 3)}, JPEG, "1 frames of the joints pelvis, right_hip"),
        ({}, JPEG[:800], "clip 1 .*: the picture of frame 0 is damaged"),
        ({}, b"<html>", "clip 1 .*: the picture of frame 0 is not a picture"),
        ({}, None, "some sequences have pictures and some have none"),
        ({"joints2d": torch.full((1, 17, 2), torch.nan)}, JPEG, "joints2d_px of item 1 has no"),
        ({"root_mm": torch.tensor([[0.0, 0.0, -5000.0]])}, JPEG, "behind the camera"),
    ],
)
def test_a_wrong_sample_is_named_and_nothing_is_left(poses, tmp_path, change, jpeg, message):
    folder = tmp_path / "new"
    samples = [(poses[0], JPEG), (replace(poses[1], **change), jpeg)]
    with pytest.raises(ValueError, match=message):
        write(folder / "store.h5", samples)
    assert not any(folder.iterdir())


def test_an_existing_file_is_left_alone(poses, tmp_path):
    (tmp_path / "mine.h5").write_text("precious")
    with pytest.raises(ValueError, match=r"mine\.h5: exists already"):
        write(tmp_path / "mine.h5", [(poses[0], JPEG)])
    assert (tmp_path / "mine.h5").read_text() == "precious"


def test_no_sequences_make_no_store(tmp_path):
    with pytest.raises(ValueError, match="there is nothing to write"):
        write(tmp_path / "none.h5", [])


def test_too_small_a_disk_is_seen_before_the_store_is_begun(poses, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")(0, 0, 3 << 20)
    monkeypatch.setattr(store_writer.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(ValueError, match="needs 16 MB, 3 MB are free"):
        write(tmp_path / "new" / "store.h5", [(poses[0], JPEG)])
    assert not any((tmp_path / "new").iterdir())


@pytest.mark.parametrize("call", ["fsync", "write", "create_dataset"])
def test_a_disk_that_fills_up_leaves_nothing(poses, tmp_path, monkeypatch, call):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    class FullFile(store_writer.tempfile.SpooledTemporaryFile):
        write = full

    owner, name, fault = {
        "fsync": (os, "fsync", full),
        "write": (store_writer.tempfile, "TemporaryFile", lambda dir: FullFile(dir=dir)),
        "create_dataset": (h5py.File, "create_dataset", full),
    }[call]
    monkeypatch.setattr(owner, name, fault)
    with pytest.raises(ValueError, match=r"not written \(.*" + os.strerror(errno.ENOSPC)):
        write(tmp_path / "new" / "store.h5", [(poses[0], JPEG)])
    monkeypatch.undo()
    assert not any((tmp_path / "new").iterdir())
