"""Each file is read back by somebody else: jsonschema, pandas, NumPy, our BVH importer."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from posezoo.camera import Camera
from posezoo.data.convert.bvh import read as read_motion
from posezoo.data.convert.bvh import read_bvh
from posezoo.inference.formats.arrays import write_npz
from posezoo.inference.formats.bvh import write_bvh
from posezoo.inference.formats.prediction_json import SCHEMA, read_prediction, to_dict, write_json
from posezoo.inference.formats.table import write_csv
from posezoo.inference.formats.tracks import tracks_of
from posezoo.inference.formats.trc import write_trc
from posezoo.skeleton import H36M17

PLACE = np.array([200.0, 100, 4000])  # of the root, mm


def same(one, other, limit=0.0006):
    """Equal but for the rounding to 0.001."""
    for key in ("box_px", "detected2d_px", "joints2d", "confidence", "joints3d", "root_mm"):
        np.testing.assert_allclose(getattr(one, key), getattr(other, key), rtol=0, atol=limit)


def test_a_picture_comes_back_from_json(picture, tmp_path):
    write_json(picture, tmp_path / "photo.json")
    back = read_prediction(tmp_path / "photo.json")
    same(back.people[0], picture.people[0])
    assert replace(back, people=(), camera=picture.camera) == replace(picture, people=())
    assert back.camera.parameters.tolist() == picture.camera.parameters.tolist()


def test_a_video_comes_back_from_json_frame_by_frame(video, tmp_path):
    write_json(video, tmp_path / "walk.json")
    back = read_prediction(tmp_path / "walk.json")
    assert (back.source, back.fps, len(back.frames)) == ("walk.mp4", 25.0, 40)
    for one, other in zip(back.frames, video.frames, strict=True):
        same(one.people[0], other.people[0])
        assert (one.frame, one.time_s) == (other.frame, other.time_s)


def test_the_keys_that_scripts_rely_on_are_where_they_were(picture):
    content = to_dict(picture)
    assert {"posezoo", "source", "width", "height", "pipeline", "camera", "people"} <= set(content)
    camera = content["camera"]
    assert [camera[key] for key in ("fx", "fy", "cx", "cy", "assumed")] == [
        768, 768, 319.5, 239.5, True,
    ]  # fmt: skip
    assert camera["distortion"] == [0, 0, 0, 0, 0]
    person = content["people"][0]
    assert [*person] == [
        "id", "box_px", "score", "detected", "joint_set", "joints2d_px", "confidence",
        "joints3d_mm", "sigma_mm", "root_mm", "warnings",
    ]  # fmt: skip
    assert [*person["detected"]] == ["joint_set", "joints2d_px", "confidence"]
    assert person["joints3d_mm"][0] == [0, 0, 0] and person["sigma_mm"] is None
    assert content["weights"] == {"semgcn.shipped": "ab" * 32}


def test_the_schema_takes_what_is_written_and_refuses_what_is_not(picture, video, person, motion):
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    alone = replace(person(motion[0]), joints3d=None, root_mm=None)
    for prediction in (
        picture,
        video,
        replace(picture, people=()),
        replace(picture, people=(alone,)),
    ):
        validator.validate(json.loads(json.dumps(to_dict(prediction))))
    for spoil in (
        lambda c: c.pop("camera"),
        lambda c: c["camera"].update(fx="768"),
        lambda c: c["camera"]["distortion"].pop(),
        lambda c: c["people"][0].update(joints2d=[]),
        lambda c: c["people"][0]["joints3d_mm"][3].pop(),
        lambda c: c["people"][0].update(score=1.5),
    ):
        content = to_dict(picture)
        spoil(content)
        assert not validator.is_valid(content)
    content = to_dict(video)
    del content["frames"][7]["people"]
    assert not validator.is_valid(content)


def test_what_is_not_known_is_null_and_comes_back_as_nan(picture, tmp_path):
    someone = picture.people[0]
    px = someone.joints2d.copy()
    px[3] = np.nan
    write_json(replace(picture, people=(replace(someone, joints2d=px),)), tmp_path / "a.json")
    content = json.loads((tmp_path / "a.json").read_text())
    assert content["people"][0]["joints2d_px"][3] == [None, None]
    assert np.isnan(read_prediction(tmp_path / "a.json").people[0].joints2d[3]).all()


def test_a_lens_without_opencvs_factor_2_is_told_in_its_terms_and_comes_back(picture, tmp_path):
    lens = {"focal_px": (1145.0, 1144.0), "centre_px": (512.0, 515.0), "radial": (-0.2, 0.2, 0.0)}
    camera = Camera.make(**lens, tangential=(-0.0014, -0.001), tangential_factor=1)
    write_json(replace(picture, camera=camera), tmp_path / "a.json")
    told = json.loads((tmp_path / "a.json").read_text())["camera"]["distortion"]
    assert told == pytest.approx([-0.2, 0.2, 0, -0.00098, -0.0007])  # 0.7 of both
    near = Camera.make(**lens, tangential=tuple(told[3:]))
    grid = camera.parameters.new_tensor([[x, y] for x in (0.0, 999) for y in (0.0, 500, 999)])
    rays = camera.to_rays(grid)
    off = (near.from_rays(rays) - camera.from_rays(rays)).norm(dim=-1).max()
    wrong = Camera.make(**lens, tangential=(-0.0014, -0.001))  # the numbers as they are
    assert off < 0.3
    assert (wrong.from_rays(rays) - camera.from_rays(rays)).norm(dim=-1).max() > 0.8
    assert (
        read_prediction(tmp_path / "a.json").camera.parameters.tolist()
        == camera.parameters.tolist()
    )


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda c: c["people"][0]["joints2d_px"].pop(), "people[0]: joints2d_px: 16 x 2 values"),
        (lambda c: c["people"][0].update(joint_set="h36m18"), "unknown joint set 'h36m18'"),
        (lambda c: c["people"][0].update(joints3d_mm=[[0, 0, "1"]] * 17), '"1" among the numbers'),
        (lambda c: c["people"][0].update(box_px=[0, 0, 1e300, 1]), "1e+300, expected numbers up"),
        (
            lambda c: c["people"][0].update(id=True),
            "people[0]: id is true, expected a whole number",
        ),
        (lambda c: c.update(people={}), "people is an object of 0 keys, expected a list"),
        (lambda c: c["camera"].pop("fx"), "camera: no 'fx', only 'fy'"),
        (lambda c: c["people"].append([1]), "people[1]: a list of 1, expected an object"),
    ],
)
def test_a_spoilt_file_is_refused_in_one_line_that_names_the_place(picture, tmp_path, spoil, words):
    content = to_dict(picture)
    spoil(content)
    (tmp_path / "a.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"a\.json: ") as error:
        read_prediction(tmp_path / "a.json")
    assert words in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["", "[1, 2", "[" * 100_000, '{"a": NaN}', "3", "\xff"])
def test_what_is_no_json_is_refused(tmp_path, text):
    (tmp_path / "a.json").write_text(text, encoding="latin-1")
    with pytest.raises(ValueError, match=r"a.json: .*expected"):
        read_prediction(tmp_path / "a.json")


def test_pandas_reads_the_csv(video, tmp_path):
    pandas = pytest.importorskip("pandas")
    write_csv(video, tmp_path / "walk.csv")
    table = pandas.read_csv(tmp_path / "walk.csv", comment="#")
    assert len(table) == 40 * 17 and set(table.person) == {4}
    wrist = table[(table.frame == 10) & (table.joint == "left_wrist")].iloc[0]
    someone = video.frames[10].people[0]
    assert [wrist.x_mm, wrist.y_mm, wrist.z_mm] == pytest.approx(someone.joints3d[13], abs=1e-3)
    assert [wrist.x_px, wrist.y_px] == pytest.approx(someone.joints2d[13], abs=1e-3)
    assert wrist.time_s == 0.4 and wrist.root_z_mm == 4000 and np.isnan(wrist.sigma_mm)


def test_the_first_line_of_the_csv_says_what_the_file_is(picture, tmp_path):
    odd = replace(picture, source='a,"b"\n#c.jpg')
    write_csv(odd, tmp_path / "a.csv")
    first, *rest = (tmp_path / "a.csv").read_text().splitlines()
    facts = json.loads(first.removeprefix("# "))
    assert facts["source"] == odd.source and facts["units"] == {"2d": "px", "3d": "mm"}
    assert facts["weights"] and facts["joints"]["h36m17"][13] == "left_wrist"
    assert len([*csv.DictReader(rest)]) == 17


def test_numpy_reads_the_npz_without_pickles(video, tmp_path):
    write_npz(video, tmp_path / "walk.npz")
    with np.load(tmp_path / "walk.npz", allow_pickle=False) as arrays:
        content = {name: arrays[name] for name in arrays.files}
    assert content["joints3d_mm"].shape == (40, 17, 3) and content["camera"].shape == (40, 10)
    assert (content["joints3d_mm"][9] == video.frames[9].people[0].joints3d).all()
    assert content["joints"].tolist() == list(H36M17.joints)
    assert json.loads(str(content["about"]))["fps"] == 25
    assert np.isnan(content["sigma_mm"]).all()


def test_a_picture_without_people_makes_empty_files(picture, tmp_path):
    nobody = replace(picture, people=())
    write_npz(nobody, tmp_path / "a.npz")
    write_csv(nobody, tmp_path / "a.csv")
    write_json(nobody, tmp_path / "a.json")
    assert np.load(tmp_path / "a.npz")["joints3d_mm"].shape == (0, 17, 3)
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 2
    assert read_prediction(tmp_path / "a.json").people == ()
    assert tracks_of(nobody) == []


def bvh_joints(path, per_mm=10.0):
    """Where our own BVH importer puts the joints, in mm, in h36m17 order."""
    file = read_bvh(path)
    places, _ = file.tree.forward(file.rotations, file.root)
    ends = {"ankle": "knee.end", "wrist": "elbow.end"}
    names = [
        name.replace(tail, ends[tail]) if (tail := name.rpartition("_")[2]) in ends else name
        for name in ("neck.end" if joint == "head" else joint for joint in H36M17.joints)
    ]
    return places[:, [file.tree.names.index(name) for name in names]] * per_mm


def test_bvh_of_a_body_with_constant_bones_is_exact(video, motion, tmp_path):
    (track,) = tracks_of(video)
    write_bvh(track, tmp_path / "walk.bvh")
    back = bvh_joints(tmp_path / "walk.bvh")
    true = (motion + PLACE) * [1, -1, -1]
    assert np.abs(back - true).max() < 1e-3  # mm: six decimals of degrees and cm
    assert read_bvh(tmp_path / "walk.bvh").frame_s == pytest.approx(1 / 25)


def test_the_importer_of_motion_capture_takes_our_bvh(video, motion, tmp_path):
    write_bvh(tracks_of(video)[0], tmp_path / "walk.bvh")
    (recording,) = read_motion(tmp_path / "walk.bvh", fps=25)
    x, y, z = np.moveaxis(motion + PLACE, -1, 0)
    true = np.stack([x, z, -y], -1)[recording.frame]  # z up
    true[:, 0] = (true[:, 1] + true[:, 4]) / 2  # to it, the pelvis is the middle of the hips
    assert np.abs(recording.positions_mm - true).max() < 0.01


def test_bvh_with_z_up_and_in_mm_is_the_same_body(video, motion, tmp_path):
    (track,) = tracks_of(video)
    write_bvh(track, tmp_path / "walk.bvh", up="z", unit="mm")
    back = bvh_joints(tmp_path / "walk.bvh", per_mm=1)
    x, y, z = np.moveaxis(motion + PLACE, -1, 0)
    assert np.abs(back - np.stack([x, z, -y], -1)).max() < 1e-3


def test_the_rest_pose_is_a_t_with_the_left_hand_towards_x(video, tmp_path):
    write_bvh(tracks_of(video)[0], tmp_path / "a.bvh")
    file = read_bvh(tmp_path / "a.bvh")
    eye = np.broadcast_to(np.eye(3), (1, len(file.tree.names), 3, 3))
    rest, _ = file.tree.forward(eye, np.zeros((1, 3)))
    place = dict(zip(file.tree.names, rest[0], strict=True))
    assert place["left_elbow.end"][0] > place["left_shoulder"][0] > 10
    assert place["right_elbow.end"][0] < place["right_shoulder"][0] < -10
    assert place["left_knee.end"][1] < place["left_knee"][1] < -30
    assert place["neck.end"][1] > place["neck"][1] > 40
    assert not rest[..., 2].any()


def test_bvh_angles_never_jump(video, tmp_path):
    write_bvh(tracks_of(video)[0], tmp_path / "a.bvh")
    rows = (tmp_path / "a.bvh").read_text().split("Frame Time:")[1].splitlines()[1:]
    angles = np.array([row.split()[3:] for row in rows], float)
    assert np.abs(np.diff(angles, axis=0)).max() < 90


def test_bones_that_change_cost_bvh_what_they_change(video, motion, person, tmp_path):
    noise = np.random.default_rng(0).normal(0, 10, motion.shape)
    noise -= noise[:, :1]
    frames = tuple(
        replace(frame, people=(person(joints + noise[n], 4),))
        for n, (frame, joints) in enumerate(zip(video.frames, motion, strict=True))
    )
    (track,) = tracks_of(replace(video, frames=frames))
    write_bvh(track, tmp_path / "a.bvh")
    true = track.joints3d + track.root_mm[:, None]
    off = np.linalg.norm(bvh_joints(tmp_path / "a.bvh") - true * [1, -1, -1], axis=-1)
    bones = np.array(H36M17.bones)
    lengths = np.linalg.norm(true[:, bones[:, 1]] - true[:, bones[:, 0]], axis=-1)
    change = np.abs(lengths - np.median(lengths, 0))
    chain = np.zeros((40, 17))  # a joint is off by at most the changes of the bones up to it
    for bone, (parent, child) in enumerate(bones):
        chain[:, child] = chain[:, parent] + change[:, bone]
    assert (off <= chain + 1e-3).all() and 5 < off.mean() < 25


def test_without_a_place_the_person_stands_on_the_floor(picture, person, motion, tmp_path):
    (track,) = tracks_of(replace(picture, people=(person(motion[0], root_mm=None),)))
    write_bvh(track, tmp_path / "a.bvh")
    (back,) = bvh_joints(tmp_path / "a.bvh")
    assert back[:, 1].min() == pytest.approx(0, abs=1e-3) and (back[0, [0, 2]] == 0).all()
    assert back[10, 1] > 800


def test_frames_without_the_person_are_bridged_in_bvh_and_empty_in_trc(video, tmp_path):
    frames = [
        replace(frame, people=()) if n in {0, 5, 6, 39} else frame
        for n, frame in enumerate(video.frames)
    ]
    (track,) = tracks_of(replace(video, frames=tuple(frames)))
    assert track.first_frame == 1 and len(track.joints3d) == 38
    write_bvh(track, tmp_path / "a.bvh")
    assert np.isfinite(bvh_joints(tmp_path / "a.bvh")).all()
    write_trc(track, tmp_path / "a.trc")
    facts, _, times, points = read_trc(tmp_path / "a.trc")
    assert facts["OrigDataStartFrame"] == "2" and times[0] == pytest.approx(1 / 25)
    assert np.isnan(points[[4, 5]]).all() and np.isfinite(np.delete(points, [4, 5], 0)).all()


def test_bvh_refuses_a_body_that_it_does_not_know(video, tmp_path):
    (track,) = tracks_of(video)
    lacking = replace(track, skeleton=replace(H36M17, joints=("root", *H36M17.joints[1:])))
    with pytest.raises(ValueError, match="has no pelvis; BVH takes poses of h36m17"):
        write_bvh(lacking, tmp_path / "a.bvh")


def read_trc(path):
    """By the rules of OpenSim's reader: what it would refuse is refused here."""

    def cells(line):
        found = line.split("\t")
        return found[:-1] if found[-1] == "" else found

    lines = path.read_text().splitlines()
    assert lines[0].split()[0] == "PathFileType"
    facts = dict(zip(cells(lines[1]), cells(lines[2]), strict=True))
    assert [*facts] == [
        "DataRate", "CameraRate", "NumFrames", "NumMarkers", "Units",
        "OrigDataRate", "OrigDataStartFrame", "OrigNumFrames",
    ]  # fmt: skip
    labels = [label for label in cells(lines[3]) if label]
    assert labels[:2] == ["Frame#", "Time"] and len(labels) == int(facts["NumMarkers"]) + 2
    axes = [label for label in cells(lines[4]) if label]
    assert axes == [f"{axis}{n}" for n in range(1, len(labels) - 1) for axis in "XYZ"]
    assert lines[5] == ""
    rows = [cells(line) for line in lines[6:]]
    assert len(rows) == int(facts["NumFrames"])
    assert {len(row) for row in rows} == {3 * len(labels) - 4}
    table = np.array([[float(cell) if cell else np.nan for cell in row] for row in rows])
    return facts, labels[2:], table[:, 1], table[:, 2:].reshape(len(rows), -1, 3)


def test_trc_is_what_opensim_reads(video, motion, tmp_path):
    write_trc(tracks_of(video)[0], tmp_path / "walk.trc")
    facts, markers, times, points = read_trc(tmp_path / "walk.trc")
    assert facts["DataRate"] == "25" and facts["Units"] == "mm" and facts["NumFrames"] == "40"
    assert markers == list(H36M17.joints)
    assert times == pytest.approx(np.arange(40) / 25)
    true = (motion + PLACE) * [1, -1, -1]  # y up
    assert np.abs(points - true).max() < 1e-4
