import shutil

import h5py
import numpy as np
import pytest
import torch

from posezoo.contracts import Batch
from posezoo.data.augment.augmentation import Augmentation, Augmented
from posezoo.data.augment.spec import parse_augment
from posezoo.data.mapped import Mapped
from posezoo.data.store.add_detection import add_detection
from posezoo.data.store.store import Store
from posezoo.data.store.store_file import open_store
from posezoo.skeleton import H36M17, get_skeleton

WRIST = H36M17.joints.index("left_wrist")


@pytest.fixture(scope="module")
def walks(make_walks, tmp_path_factory):
    return make_walks(tmp_path_factory.mktemp("walks") / "walks.h5")


@pytest.fixture(scope="module")
def numbers(walks):
    """10 px right of the truth, confidence 0.5; the left wrist of every fourth item is missing."""
    px = open_store(walks)["joints2d_px"] + np.array([10, 0], np.float32)
    sure = np.full(px.shape[:2], 0.5, np.float32)
    px[::4, WRIST], sure[::4, WRIST] = np.nan, 0
    return px, sure


@pytest.fixture(scope="module")
def detected(walks, numbers, tmp_path_factory):
    out = tmp_path_factory.mktemp("detected") / "detected.h5"
    px, confidence = numbers
    add_detection(
        walks, out, "cpn", skeleton=H36M17, px=px, confidence=confidence,
        source="x.npz", source_sha256="0" * 64,
    )  # fmt: skip
    return str(out)


def whole(path, **options):
    store = Store(path=path, split="all", **options)
    return store.__getitems__(range(len(store)))


def test_what_a_detector_found_stands_for_the_truth_and_says_how_sure_it_was(detected, numbers):
    px, sure = numbers
    batch, true = whole(detected, joints2d="cpn"), whole(detected)
    assert torch.equal(batch.joints2d[:, 0].nan_to_num(), torch.from_numpy(px).nan_to_num())
    assert torch.equal(batch.confidence[:, 0], torch.from_numpy(sure))
    assert torch.equal(batch.joints3d, true.joints3d)
    assert true.confidence is None
    assert torch.equal(true.joints2d, whole(detected, joints2d="").joints2d)


def test_what_was_not_found_is_no_number_and_not_labelled_never_a_zero(detected):
    batch = whole(detected, joints2d="cpn")
    lost = ~batch.labelled2d[:, 0]
    assert lost.sum() == 24 and lost[::4, WRIST].all()
    assert batch.joints2d[:, 0][lost].isnan().all()
    assert (batch.confidence[:, 0][lost] == 0).all()
    assert not (batch.joints2d[:, 0][~lost] == 0).all(-1).any()


def test_a_crop_is_the_same_whoever_found_the_joints(detected):
    options = {"image_size": 64, "pictures": False, "jitter": 0.0}
    batch, true = whole(detected, joints2d="cpn", **options), whole(detected, **options)
    assert torch.equal(batch.camera.parameters, true.camera.parameters)
    assert torch.equal(batch.visible, true.visible)
    shift = (batch.joints2d - true.joints2d)[:, 0, 0, 0]
    assert torch.allclose(shift, 10 * true.camera.parameters[:, 0] / 1000, atol=1e-4)


def test_clips_of_detected_joints_have_the_same_frames(detected):
    store = Store(path=detected, split="all", joints2d="cpn", frames=3, future=1)
    single = whole(detected, joints2d="cpn")
    clips = store.__getitems__(range(len(store)))
    assert torch.equal(clips.joints2d[1:11, 0].nan_to_num(), single.joints2d[0:10, 0].nan_to_num())
    assert torch.equal(clips.confidence[1:11, 2], single.confidence[2:12, 0])
    assert clips.frames(1, 2).confidence.shape == (96, 1, 17)


def test_true_and_detected_items_go_into_one_batch(detected):
    some = whole(detected, joints2d="cpn")
    both = Batch.join([whole(detected), some])
    assert (both.confidence[:96] == 1).all()
    assert torch.equal(both.confidence[96:], some.confidence)
    assert torch.equal(both.items(torch.arange(96, 192)).confidence, some.confidence)
    samples = [Store(path=detected, split="all", joints2d=name)[4] for name in ("", "cpn")]
    assert Batch.collate(samples).confidence[:, 0, WRIST].tolist() == [1, 0]


def test_in_another_joint_set_confidence_goes_along(detected):
    store = Store(path=detected, split="all", joints2d="cpn")
    batch = Mapped(store, get_skeleton("mpii16")).__getitems__(range(8))
    wrist = get_skeleton("mpii16").joints.index("left_wrist")
    assert batch.confidence[:, 0, wrist].tolist() == [0, 0.5, 0.5, 0.5, 0, 0.5, 0.5, 0.5]
    assert batch.joints2d[0, 0, wrist].isnan().all() and not batch.labelled2d[0, 0, wrist]


def test_a_mirrored_or_larger_person_keeps_the_detector_s_errors(detected):
    store = Store(path=detected, split="all", joints2d="cpn")
    true = Store(path=detected, split="all")
    for text in ("mirror:chance=1", "body:chance=1"):
        augment = parse_augment(text, H36M17)
        assert isinstance(augment, Augmentation)
        seen, truth = (
            Augmented(each, augment, seed=0).__getitems__(range(96)) for each in (store, true)
        )
        off = (seen.joints2d - truth.joints2d)[:, 0]
        sign = -1 if text.startswith("mirror") else 1
        known = seen.labelled2d[:, 0]
        assert (off[known] - torch.tensor([10.0 * sign, 0])).abs().max() < 0.01
        lost = H36M17.mirror[WRIST] if sign < 0 else WRIST
        assert seen.joints2d[::4, 0, lost].isnan().all()
        assert (seen.confidence[::4, 0, lost] == 0).all()


def test_unknown_names_are_answered(detected, walks):
    with pytest.raises(ValueError, match=r"has no detection sh \(it has cpn\); posezoo data detec"):
        Store(path=detected, joints2d="sh")
    with pytest.raises(ValueError, match=r"has no detection cpn \(it has none\)"):
        Store(path=str(walks), joints2d="cpn")


def test_a_store_with_detections_is_read_by_whoever_knows_none(detected, walks):
    with h5py.File(detected) as new, h5py.File(walks) as old:
        assert dict(new.attrs) == dict(old.attrs)
        assert [*new] == sorted([*old, "detections"])


def test_damage_is_noticed(detected, tmp_path):
    path = tmp_path / "damaged.h5"
    shutil.copy(detected, path)
    with h5py.File(path, "r+") as file:
        file["detections/cpn/px"][5, 3, 0] += 1
    with pytest.raises(ValueError, match="detections/cpn/px is damaged"):
        open_store(path).verify()
    with h5py.File(path, "r+") as file:
        file["detections/cpn/confidence"][5, 3] = 0
    with pytest.raises(ValueError, match="detection cpn of item 5 has a confidence outside 0 to 1"):
        Store(path=str(path), split="all", joints2d="cpn")
    with h5py.File(path, "r+") as file:
        del file["detections/cpn/confidence"]
    with pytest.raises(ValueError, match="lacks confidence"):
        open_store(path)
    with h5py.File(path, "r+") as file:
        file["detections/cpn/confidence"] = np.zeros((96, 16), np.float32)
    with pytest.raises(ValueError, match="expected 17 joints in the order"):
        open_store(path)


@pytest.mark.parametrize("change", ["nan", "high", "shape"])
def test_numbers_that_are_none_are_not_written(walks, numbers, tmp_path, change):
    px, sure = (each.copy() for each in numbers)
    if change == "nan":
        px[1, 1] = np.nan
    elif change == "high":
        sure[1, 1] = 1.5
    else:
        px = px[:, :16]
    with pytest.raises(ValueError, match="expected confidences from 0 to 1, and px exactly where"):
        add_detection(
            walks, tmp_path / "new.h5", "cpn", skeleton=H36M17, px=px, confidence=sure,
            source="x", source_sha256="0",
        )  # fmt: skip
    assert not any(tmp_path.iterdir())
