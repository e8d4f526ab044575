import multiprocessing
import pickle
import shutil
from dataclasses import replace

import h5py
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from posezoo.contracts import Batch, Dataset
from posezoo.data.mocap.mocap import Mocap
from posezoo.data.store.pictures import encode_jpeg
from posezoo.data.store.pose_sequence import PoseSequence
from posezoo.data.store.store import Store
from posezoo.data.store.store_file import checksum, open_store
from posezoo.data.store.store_writer import write_store

CHEST = 8


def picture_of(sample):
    """1000 x 1000 px, black, a bright dot at the thorax."""
    x, y = sample.joints2d[0, CHEST].tolist()
    rows, columns = np.ogrid[:1000, :1000]
    light = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 12**2))
    return encode_jpeg(torch.from_numpy((250 * light).astype(np.uint8)).expand(3, -1, -1))


def everything(batch):
    """A batch as one array to compare."""
    parts = (batch.joints2d, batch.joints3d, batch.root_mm, batch.camera.parameters, batch.image)
    return torch.cat([part.reshape(len(batch), -1).double() for part in parts], 1)


def read_alone(options, index):
    return everything(Store(**options).__getitems__([index])).numpy()


@pytest.fixture(scope="module")
def samples(make_mocap, tmp_path_factory):
    path = make_mocap(tmp_path_factory.mktemp("mocap") / "x_poses17.h5")
    poses = Mocap(path=str(path), split="all")
    return [poses[i] for i in range(len(poses))]


@pytest.fixture(scope="module")
def store_path(samples, tmp_path_factory):
    path = tmp_path_factory.mktemp("store") / "store.h5"
    sequences = (
        PoseSequence.single(s, picture_of(s), sequence=f"{k}") for k, s in enumerate(samples)
    )
    write_store(path, sequences, skeleton=Mocap.skeleton, val="ben", licence="CC0")
    return path


@pytest.fixture
def damaged(store_path, tmp_path):
    """A copy of the store after a change to the open file, or to values of one column."""

    def damage(change):
        path = tmp_path / "damaged.h5"
        shutil.copy(store_path, path)
        with h5py.File(path, "r+") as file:
            change(file)
        return str(path)

    return damage


def test_what_was_written_is_what_is_read(store_path, samples):
    store = Store(path=str(store_path), split="all")
    assert isinstance(store, Dataset)
    assert (len(store), store.subjects) == (21, ("anna", "ben", "cem"))
    batch, written = store.__getitems__(range(21)), Batch.collate(samples)
    for name in ("joints2d", "joints3d", "root_mm", "visible"):
        assert torch.equal(getattr(batch, name), getattr(written, name))
    assert torch.equal(batch.camera.parameters, written.camera.parameters)
    assert (batch.subject, batch.action) == (written.subject, written.action)
    assert batch.image is None


def test_people_are_split_as_the_store_says_unless_told_otherwise(store_path):
    people = {
        (split, val): Store(path=str(store_path), split=split, val=val).subjects
        for split in ("train", "val")
        for val in ("", "anna/cem")
    }
    assert people == {
        ("train", ""): ("anna", "cem"),
        ("val", ""): ("ben",),
        ("train", "anna/cem"): ("ben",),
        ("val", "anna/cem"): ("anna", "cem"),
    }


@pytest.mark.parametrize("split", ["train", "val"])
def test_pictures_joints_and_camera_move_together(store_path, split):
    store = Store(path=str(store_path), split=split, image_size=96, jitter=0.1)
    for index in (0, 1, len(store)):
        sample = store[index]
        light = sample.image[0].double()
        rows, columns = torch.meshgrid(torch.arange(96), torch.arange(96), indexing="ij")
        found = torch.stack([(light * each).sum() / light.sum() for each in (columns, rows)])
        assert (found - sample.joints2d[0, CHEST]).abs().max() < 0.1
        projected = sample.camera.project(sample.joints3d[0] + sample.root_mm)
        assert (projected - sample.joints2d[0]).abs().max() < 0.01
        assert sample.visible.all()


def test_training_crops_anew_on_each_pass_and_validation_does_not(store_path):
    for split, same in (("train", False), ("val", True)):
        store = Store(path=str(store_path), split=split, image_size=64, pictures=False)
        first, again = store[1], store[1 + len(store)]
        assert torch.equal(first.joints2d, again.joints2d) == same
        assert torch.equal(first.joints3d, again.joints3d)


def test_another_process_and_any_number_of_workers_read_the_same(store_path):
    options = {"path": str(store_path), "image_size": 32}
    store = Store(**options)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        alone = pool.apply(read_alone, (options, 7))
    np.testing.assert_array_equal(alone, read_alone(options, 7))
    batches = [range(k, k + 4) for k in range(0, 16, 4)]
    whole = torch.cat([everything(store.__getitems__(batch)) for batch in batches])
    loader = DataLoader(store, batch_sampler=batches, num_workers=2, collate_fn=everything)
    assert torch.equal(torch.cat(list(loader)), whole)


def test_an_open_store_travels_as_places_in_the_file_and_not_as_data(store_path):
    store = Store(path=str(store_path), image_size=32)
    sample = store[3]
    assert len(pickle.dumps(store)) < 20_000 < store_path.stat().st_size
    assert torch.equal(pickle.loads(pickle.dumps(store))[3].image, sample.image)


def test_a_store_cut_at_any_length_is_refused(store_path, tmp_path):
    whole, cut = store_path.read_bytes(), tmp_path / "cut.h5"
    for length in np.linspace(0, len(whole) - 1, 30).astype(int):
        cut.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"cut\.h5: not a whole HDF5 file"):
            Store(path=str(cut))


def test_no_flipped_bit_goes_unseen(store_path, tmp_path):
    whole, flipped = store_path.read_bytes(), tmp_path / "flipped.h5"
    original = open_store(store_path)
    rng = np.random.default_rng(0)
    first = rng.integers(0, 4000, 150)  # where HDF5 keeps its own notes
    caught = 0
    for place in np.concatenate([first, rng.integers(0, len(whole), 50)]):
        bad = bytearray(whole)
        bad[place] ^= 1 << int(rng.integers(8))
        flipped.write_bytes(bad)
        try:
            opened = open_store(flipped)
            opened.verify()
        except ValueError:
            caught += 1
            continue
        for name in original.columns:  # the bit was in a gap between columns
            np.testing.assert_array_equal(opened[name], original[name])
        assert opened.skeleton == original.skeleton
    assert caught > 100


def shift(name, change):
    """Change the values of a column and keep its checksum right."""

    def edit(file):
        values = file[name][()]
        file[name][...] = change(values)
        file[name].attrs["sha256"] = checksum(file[name][()])

    return edit


def nan_at(*place):
    def edit(values):
        values[place] = np.nan
        return values

    return edit


def replaced(name, values):
    def edit(file):
        del file[name]
        file.create_dataset(name, data=values).attrs["sha256"] = checksum(values)

    return edit


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (shift("joints3d_mm", lambda v: v / 1000), "median thigh .* look like metres"),
        (shift("joints3d_mm", lambda v: v + 1), "item 0 has its root at .*expected 0: subtract"),
        (shift("joints3d_mm", nan_at(3, 5, 1)), r"joints3d_mm of item 3 has no number at \[5, 1\]"),
        (shift("joints2d_px", nan_at(2, 1, 0)), r"joints2d_px of item 2 has no number at \[1, 0\]"),
        (shift("camera", nan_at(1, 0)), r"camera of item 1 has no number at \[0\]"),
        (shift("joints2d_px", lambda v: v + 0.7), r"projects 0\.7.* px away from its joints2d_px"),
        (shift("root_mm", lambda v: -v), "joints behind the camera"),
        (shift("subject", lambda v: v + 2), "subject has numbers from 2 to 4, expected 0 to 2"),
        (shift("picture_end", lambda v: v[::-1]), "picture_end must rise"),
        (
            replaced("joints2d_px", np.zeros((21, 15, 2), np.float32)),
            "joints2d_px: expected 17 joints in the order pelvis, .*; got 15",
        ),
        (replaced("root_mm", np.zeros((20, 3), np.float32)), r"root_mm is \(20, 3\).*N = 21"),
        (replaced("root_mm", np.zeros((21, 3), np.float64)), "root_mm is <f8 .*expected <f4"),
        (lambda file: file.pop("visible"), "lacks visible"),
        (lambda file: file.attrs.update(complete=0), "its writing was not finished"),
        (lambda file: file.attrs.update(version=1), "is posezoo-store, version 1; expected"),
        (lambda file: file.attrs.update(skeleton="h36m18"), "unknown joint set 'h36m18'"),
    ],
)
def test_a_store_that_is_not_what_it_says_is_refused(damaged, change, message):
    with pytest.raises(ValueError, match=message):
        Store(path=damaged(change))


def test_a_broken_picture_is_named(damaged):
    def overwrite(file):
        end = int(file["picture_end"][4])
        file["pictures"][end - 600 : end] = 0

    store = Store(path=damaged(overwrite), split="all", image_size=32)
    store[3]
    with pytest.raises(ValueError, match=r"damaged\.h5: the picture of item 4 is damaged"):
        store[4]
    with pytest.raises(ValueError, match="pictures is damaged"):
        store.verify()


def test_joints_outside_their_picture_are_counted(damaged):
    def shrink(file):
        file["size_px"][...] = (1000, 1)

    assert Store(path=damaged(shrink), split="all").joints_outside == 21 * 17


def test_what_is_not_there_is_named(store_path):
    with pytest.raises(ValueError, match=r"nowhere\.h5: no such file"):
        Store(path="nowhere.h5")
    with pytest.raises(ValueError, match="val names bob"):
        Store(path=str(store_path), val="bob")


def test_joints_without_a_label_neither_widen_the_crop_nor_are_checked(samples, tmp_path):
    """A 2D-only store: no 3D at all, and a wrist that nobody marked."""
    sample = samples[0]
    known = torch.ones(1, 17, dtype=torch.bool)
    known[:, 16] = False
    joints2d = sample.joints2d.clone()
    joints2d[:, 16] = 0
    flat = replace(
        sample,
        joints2d=joints2d,
        joints3d=torch.zeros(1, 17, 3),
        root_mm=torch.zeros(1, 3),
        labelled2d=known,
        labelled3d=torch.zeros_like(known),
    )
    path = tmp_path / "flat.h5"
    clip = PoseSequence.single(flat, picture_of(sample), sequence="photo")
    write_store(path, [clip], skeleton=Mocap.skeleton, val=sample.subject)
    found = Store(path=str(path), split="val", image_size=64)[0]
    assert torch.equal(found.labelled2d, known)
    assert not found.labelled3d.any()
    marked = found.joints2d[found.labelled2d]
    # margin 0.15 on each side: the marked joints fill 1 / 1.3 of the crop.
    assert (marked.amax(0) - marked.amin(0)).max() == pytest.approx(64 / 1.3, abs=0.1)


def test_clips_of_a_store_stay_in_one_sequence_of_one_camera(samples, tmp_path):
    def clip(view, count):
        one = PoseSequence.single(samples[0], None, sequence="walk")
        labels = ("labelled2d", "labelled3d", "visible")
        rows = {
            name: np.repeat(getattr(one, name), count, 0)
            for name in ("joints2d_px", "joints3d_mm", "root_mm", *labels)
        }
        rows["joints2d_px"] = rows["joints2d_px"].copy()
        rows["joints2d_px"][:, 16, 0] += 0.01 * np.arange(count)
        return replace(one, view=view, frame=np.arange(count), **rows)

    path = tmp_path / "clips.h5"
    sequences = [clip("left", 4), clip("right", 3)]
    write_store(path, sequences, skeleton=Mocap.skeleton, val=samples[0].subject)
    store = Store(path=str(path), split="val", frames=3, future=1)
    moved = [
        ((store[item].joints2d[:, 16, 0] - store[0].joints2d[0, 16, 0]) * 100).round().tolist()
        for item in (0, 3, 4, 6)
    ]
    assert moved == [[0, 0, 1], [2, 3, 3], [0, 0, 1], [1, 2, 2]]
    assert store[0].sequence == f"{samples[0].subject}/walk"  # two people may have it
