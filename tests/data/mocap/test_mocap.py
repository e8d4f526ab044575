import multiprocessing

import h5py
import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from posezoo.assembly import build_dataset
from posezoo.contracts import Batch, Dataset
from posezoo.data.mocap.mocap import Mocap, mirrored
from posezoo.skeleton import H36M17
from posezoo.testing import rounding
from posezoo.trunk import trunk_from_limbs

LIMBS = torch.tensor(H36M17.bones)
MM = rounding(terms=16, magnitude=6000.0)  # of a limb somewhere in the room


def lengths(joints3d):
    return (joints3d[..., LIMBS[:, 0], :] - joints3d[..., LIMBS[:, 1], :]).norm(dim=-1)


def still(batch):
    """What a batch says of geometry, as one array to compare."""
    parts = (batch.joints2d, batch.joints3d, batch.root_mm, batch.camera.parameters)
    return torch.cat([part.reshape(len(batch), -1) for part in parts], 1)


def read_alone(options, index):
    return still(Batch.collate([Mocap(**options)[index]])).numpy()


@pytest.mark.parametrize("size", [0, 64])
def test_3d_projects_onto_2d_within_a_hundredth_of_a_pixel(write_mocap, size):
    data = Mocap(path=str(write_mocap()), val="ben", image_size=size, pictures=False, scale=0.1)
    assert isinstance(data, Dataset)
    batch = data.__getitems__(range(200))
    absolute = batch.joints3d + batch.root_mm[:, :, None]
    projected = batch.camera.project(absolute[:, 0])
    assert (projected - batch.joints2d[:, 0]).abs().max() < 0.01
    assert torch.equal(batch.joints3d[:, :, 0], torch.zeros(200, 1, 3))
    assert absolute[..., 2].min() > 2000
    assert batch.visible.float().mean() > 0.99
    if size:
        assert batch.joints2d.min() > 0
        assert batch.joints2d.max() < 63


def test_validation_has_each_person_in_the_middle_of_the_crop(write_mocap):
    options = {"split": "val", "image_size": 61, "pictures": False, "margin": 0.125}
    joints2d = Mocap(path=str(write_mocap()), **options).__getitems__(range(3)).joints2d[:, 0]
    low, high = joints2d.amin(1), joints2d.amax(1)
    np.testing.assert_allclose((low + high) / 2, 30, atol=0.01)  # pixels 0 to 60
    np.testing.assert_allclose((high - low).amax(1), 61 / 1.25, atol=0.01)


def test_a_person_keeps_the_limbs_of_the_file_in_mm(write_mocap):
    path = write_mocap(people={"anna": 1, "ben": 1})
    with h5py.File(path) as file:
        original = torch.from_numpy(file["anna/walk_01/positions_mm"][:])
    data = Mocap(path=str(path), val="ben", mirror=False)
    np.testing.assert_allclose(lengths(data[0].joints3d), lengths(original), atol=MM)


def test_a_mirrored_person_has_left_limbs_right_and_nothing_else_changed(write_mocap):
    path = write_mocap(people={"anna": 1, "ben": 1})
    plain, both = (Mocap(path=str(path), val="ben", mirror=mirror) for mirror in (False, True))
    index = range(100)
    as_filmed, as_mirrored = (data.__getitems__(index).joints3d for data in (plain, both))
    own = lengths(as_filmed)
    swapped = lengths(as_filmed[:, :, list(H36M17.mirror)])
    turned = (lengths(as_mirrored) - own).abs().amax((1, 2)) > 0.1
    assert 30 < int(turned.sum()) < 70
    np.testing.assert_allclose(lengths(as_mirrored)[turned], swapped[turned], atol=MM)
    assert torch.equal(as_mirrored[~turned], as_filmed[~turned])


def test_a_mirror_exchanges_names_and_hands_and_twice_is_the_same():
    pose = torch.randn(2, 17, 3)
    image = mirrored(pose, H36M17)
    left_wrist, right_wrist = H36M17.joints.index("left_wrist"), H36M17.joints.index("right_wrist")
    assert torch.equal(image[:, left_wrist], pose[:, right_wrist] * torch.tensor([-1.0, 1.0, 1.0]))
    assert torch.equal(mirrored(image, H36M17), pose)


def test_a_scaled_body_grows_by_its_share_at_most_and_stands_on_the_floor(write_mocap):
    path = write_mocap(people={"anna": 1, "ben": 1})
    options = {"path": str(path), "val": "ben", "mirror": False}
    own = lengths(Mocap(**options)[0].joints3d)
    ratio = lengths(Mocap(**options, scale=0.1).__getitems__(range(500)).joints3d) / own
    assert 0.9 <= ratio.min() < 0.905
    assert 1.095 < ratio.max() <= 1.1 + MM / float(own.min())
    one_share = MM / float(own.min())  # for all limbs
    assert (ratio.amax(-1) - ratio.amin(-1)).max() < one_share


def test_training_sees_an_item_anew_on_each_pass_and_validation_does_not(write_mocap):
    path = str(write_mocap())
    train, val = (Mocap(path=path, val="anna", split=split) for split in ("train", "val"))
    first, again = (train[4 + k * len(train)] for k in (0, 1))
    assert not torch.allclose(first.joints2d, again.joints2d)
    assert first.subject == again.subject
    first, again = (val[4 + k * len(val)] for k in (0, 1))
    assert torch.equal(first.joints2d, again.joints2d)


def test_batches_are_the_samples_side_by_side(write_mocap, assert_same_items):
    data = Mocap(path=str(write_mocap()), val="ben", scale=0.1, image_size=64, pictures=False)
    index = [3, 40, 3, 17]
    batch, stacked = data.__getitems__(index), Batch.collate([data[i] for i in index])
    assert_same_items(batch, stacked)


def test_another_process_and_any_number_of_workers_read_the_same(write_mocap):
    options = {"path": str(write_mocap()), "val": "ben", "scale": 0.1}
    data = Mocap(**options)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        alone = pool.apply(read_alone, (options, 7))
    np.testing.assert_array_equal(alone, read_alone(options, 7))
    batches = [range(k, k + 8) for k in range(0, 40, 8)]
    none, two = (
        list(DataLoader(data, batch_sampler=batches, num_workers=n, collate_fn=still))
        for n in (0, 2)
    )
    assert torch.equal(torch.cat(none), torch.cat(two))


def test_another_seed_shows_other_views(write_mocap):
    path = str(write_mocap())
    first, other = (Mocap(path=path, val="ben", seed=seed)[0] for seed in (0, 1))
    assert not torch.allclose(first.joints2d, other.joints2d)


def test_a_folder_holds_people_of_all_its_files_and_a_name_is_one_person(write_mocap):
    folder = write_mocap("first", {"anna": 4, "ben": 5}).parent
    write_mocap("second", {"anna": 6, "cem": 7})
    val = Mocap(path=str(folder), split="val", val="anna")
    assert (val.subjects, len(val)) == (("anna",), 10)
    train = Mocap(path=str(folder), val="anna", balance=0)
    assert (train.subjects, len(train)) == (("ben", "cem"), 12)
    everybody = Mocap(path=str(folder), split="all", stride=2)
    assert len(everybody) == 2 + 3 + 3 + 4


def test_people_come_up_as_balance_says(write_mocap):
    path = str(write_mocap(people={"anna": 16, "ben": 4, "cem": 1}))
    names = {}
    for balance in (0.0, 0.5, 1.0):
        data = Mocap(path=path, val="cem", balance=balance)
        subjects = data.__getitems__(range(len(data))).subject
        names[balance] = (subjects.count("anna"), subjects.count("ben"))
    assert names == {0.0: (16, 4), 0.5: (16, 8), 1.0: (16, 16)}


def test_cameras_of_a_file_are_used(write_mocap, tmp_path):
    path = tmp_path / "cameras.json"
    path.write_text("{}")
    with pytest.raises(ValueError, match=r"cameras\.json: lacks intrinsics"):
        Mocap(path=str(write_mocap()), cameras=str(path))


def test_wrong_numbers_are_all_named_together(write_mocap):
    words = f"path={write_mocap()},image_size=-1,stride=0,scale=2,balance=-0.1"
    with pytest.raises(ValueError, match=r"(?s)image_size: .*stride: .*scale: .*balance: "):
        build_dataset(f"mocap:{words}")


def test_people_are_drawn_in_pictures_of_the_size_asked_for(write_mocap, assert_same_items):
    data = Mocap(path=str(write_mocap()), val="ben", image_size=32)
    batch = data.__getitems__([0, 9])
    assert (batch.image.shape, batch.image.dtype) == ((2, 3, 32, 32), torch.uint8)
    assert_same_items(data.__getitems__([9]), batch.items(torch.tensor([1])))
    assert not torch.equal(data[9 + len(data)].image, batch.image[1])


def test_a_trunk_from_limbs_is_where_joint_maps_put_it(write_mocap):
    poses = torch.zeros(17, 3)
    for name, place in {
        "left_hip": (100.0, 0, 900),
        "right_hip": (-100.0, 20, 900),
        "left_shoulder": (200.0, 0, 1400),
        "right_shoulder": (-200.0, 20, 1400),
        "head": (0.0, 10, 1600),
        "left_wrist": (7.0, 8, 9),
    }.items():
        poses[H36M17.joints.index(name)] = torch.tensor(place)
    moved = trunk_from_limbs(poses)
    at = {name: moved[i].tolist() for i, name in enumerate(H36M17.joints)}
    assert at["pelvis"] == [0, 10, 900]
    assert at["thorax"] == [0, 10, 1400]
    assert at["spine"] == [0, 10, 1150]
    # The head stood 200 mm over the shoulders: x 1.42.
    for name, z in (("head", 1400 + 284), ("neck", 1400 + 0.6 * 284)):
        assert at[name] == pytest.approx([0, 10, z], abs=rounding(terms=8, magnitude=1684.0))
    assert at["left_wrist"] == [7, 8, 9]
    data = Mocap(path=str(write_mocap()), val="ben", trunk="from_limbs", views="held")
    joints = data[0].joints3d[0]
    hips = [H36M17.joints.index(f"{side}_hip") for side in ("left", "right")]
    assert joints[hips].mean(0).abs().max() < 1e-3


def test_one_person_is_split_by_time_and_what_is_held_out_says_so(write_mocap):
    path = str(write_mocap(people={"anna": 100}))
    sides = {split: Mocap(path=path, split=split) for split in ("train", "val")}
    assert sides["train"].subjects == ("anna",)
    assert sides["val"].subjects == ("anna (last fifth)",)
    assert [len(side) for side in sides.values()] == [75, 20]  # five frames are the gap
    assert sides["val"][0].subject == "anna (last fifth)"
