"""Small files to try every command with: right to the last joint, and never over others."""

import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from posezoo.cli import main
from posezoo.data.convert.bvh import read_bvh
from posezoo.data.inspect.diagnose import diagnose
from posezoo.data.keypoints.reading import read_keypoints
from posezoo.data.mocap.mocap_file import read_mocap
from posezoo.data.store.store import Store
from posezoo.inference.keypoint_lifting import lift_keypoints
from posezoo.inference.lens import Lens
from posezoo.metrics import pa_mpjpe
from posezoo.sample.motion import Movement
from posezoo.sample.write import CONTENTS, write_sample


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample") / "new"
    write_sample(folder)
    return folder


def test_all_that_is_named_is_there_and_nothing_else(folder):
    assert {path.name for path in folder.iterdir()} == {*CONTENTS}
    assert sum(path.stat().st_size for path in folder.rglob("*")) < 3_000_000
    assert len({*map(str, folder.glob("pictures/*.jpg"))}) == 20


@pytest.mark.parametrize("name", ["people.h5", "poses17.h5"])
def test_its_stores_have_no_fault(folder, name):
    assert not diagnose(folder / name).findings


def test_somebody_is_held_out_of_the_store(folder):
    val = Store(path=str(folder / "people.h5"), split="val", image_size=32)
    train = Store(path=str(folder / "people.h5"), split="train", image_size=32)
    assert len(val) + len(train) == 60 and len(val) >= 12
    assert not {*val.subjects} & {*train.subjects}


def test_a_walk_is_1250_mm_a_second_and_stands_on_the_floor(folder):
    walk = next(each for each in read_mocap(folder / "poses17.h5") if each.action == "walk")
    pelvis = walk.positions_mm[:, 0]
    assert pelvis[10, 0] - pelvis[0, 0] == pytest.approx(1250, abs=1)
    assert 20 < walk.positions_mm[:, [3, 6], 2].min() < 120  # ankles, above the sole
    left, right = walk.positions_mm[:, 4, 1], walk.positions_mm[:, 1, 1]
    assert (left > right).all()  # whoever walks towards x has the left hip at larger y


def test_the_motion_files_are_of_the_same_people(folder):
    file = read_bvh(folder / "motions" / "P00" / "walk.bvh")
    assert len(file.root) == 120
    assert file.root[30, 0] - file.root[0, 0] == pytest.approx(125, abs=0.1)  # cm in a second


def test_the_joints_of_other_programs_lift_to_the_walk_that_they_are_of(folder):
    truth = torch.from_numpy(Movement(0, "walk").joints(10)[:25])
    for name in ("openpose_json", "alphapose-results.json"):
        found = read_keypoints(folder / name, size_px=(1280, 720))
        lifted = lift_keypoints(found, source=folder / name, lens=Lens(), size_px=(1280, 720))
        people = [frame.people[0].joints3d for frame in lifted.prediction.frames]
        poses = torch.from_numpy(np.stack(people)).double()
        swapped = poses[:, [0, 4, 5, 6, 1, 2, 3, 7, 8, 9, 10, 14, 15, 16, 11, 12, 13]]
        error = float(pa_mpjpe(poses, truth).mean())
        assert error < 80 and error < 0.6 * float(pa_mpjpe(swapped, truth).mean())


def test_the_tables_name_the_pictures(folder):
    pictures = {path.name for path in (folder / "pictures").iterdir()}
    rows = (folder / "poses.csv").read_text().splitlines()
    assert {row.split(",")[3] for row in rows[1:]} == pictures
    coco = json.loads((folder / "coco.json").read_text())
    assert {image["file_name"] for image in coco["images"]} == pictures
    first = coco["annotations"][0]
    assert first["num_keypoints"] == 12 and first["keypoints"][:3] == [0, 0, 0]  # no nose


def test_what_is_there_is_left_alone(tmp_path):
    (tmp_path / "coco.json").write_text("mine")
    answer = CliRunner().invoke(main, ["data", "sample", "--out", str(tmp_path)])
    assert answer.exit_code == 2 and "coco.json: exists already" in answer.output
    assert [path.name for path in tmp_path.iterdir()] == ["coco.json"]
    assert (tmp_path / "coco.json").read_text() == "mine"


def test_it_is_the_same_every_time(folder, tmp_path):
    write_sample(tmp_path / "again")
    for name in ("poses.csv", "coco.json", "motions/P01/run.bvh", "photo.jpg"):
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes()
