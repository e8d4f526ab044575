"""Faults planted one at a time into a store of people who walk before cameras with distortion."""

from __future__ import annotations

from dataclasses import replace

import h5py
import numpy as np
import pytest
import torch

from posezoo.camera import Camera, world_to_camera
from posezoo.data.inspect.diagnose import diagnose
from posezoo.data.scene.views import Rig
from posezoo.data.store.pictures import encode_jpeg
from posezoo.data.store.pose_sequence import PoseSequence
from posezoo.data.store.store_writer import write_store
from posezoo.skeleton import H36M17

FRAMES, VIEWS = 40, ("north", "south", "west")
JOINT = {name: number for number, name in enumerate(H36M17.joints)}


def walk(
    people: float,  # size: 1 is 1.75 m
    phase: float,
) -> np.ndarray:  # (F, 17, 3) mm, world frame, z up, facing +y
    """A walk of 4 s at 10 frames a second; bones keep their length, knees bend forward."""
    t = np.arange(FRAMES) / 10 + phase
    joints = np.zeros((FRAMES, 17, 3))
    pelvis = np.stack([0 * t, 400 * t - 800, 930 + 15 * np.cos(4 * np.pi * t)], -1)
    for side, sign, step in (("right", 1, 0.0), ("left", -1, np.pi)):
        swing = 0.5 * np.sin(2 * np.pi * t + step)
        bend = 0.5 + 0.4 * np.cos(2 * np.pi * t + step)
        hip = pelvis + np.array([sign * 130, 0, 0])
        knee = hip + 440 * np.stack([0 * t, np.sin(swing), -np.cos(swing)], -1)
        ankle = knee + 430 * np.stack([0 * t, np.sin(swing - bend), -np.cos(swing - bend)], -1)
        shoulder = pelvis + np.array([sign * 170, 20, 460])
        elbow = shoulder + 280 * np.stack([0 * t, np.sin(-swing), -np.cos(swing)], -1)
        lift = 0.6 - swing
        wrist = elbow + 250 * np.stack([0 * t, np.sin(lift), -np.cos(lift)], -1)
        for name, place in (
            *(("hip", hip), ("knee", knee), ("ankle", ankle)),
            *(("shoulder", shoulder), ("elbow", elbow), ("wrist", wrist)),
        ):
            joints[:, JOINT[f"{side}_{name}"]] = place
    joints[:, JOINT["pelvis"]] = pelvis
    for name, height in (("spine", 240), ("thorax", 480), ("neck", 600), ("head", 710)):
        joints[:, JOINT[name]] = pelvis + np.array([0, 15, height])
    return joints * people


@pytest.fixture(scope="module")
def sequences():
    """Two people, two walks each, before three cameras that stay where they are."""
    views = Rig.studio().draw(3, np.arange(len(VIEWS)))
    made = []
    for person, size in (("ann", 0.95), ("bob", 1.05)):
        for recording in (0, 1):
            world = torch.from_numpy(walk(size, 0.3 * recording))
            for k, name in enumerate(VIEWS):
                points = world_to_camera(world, views.rotation[k], views.position_mm[k])
                camera = views.camera[k].parameters
                made.append(
                    PoseSequence(
                        joints2d_px=Camera(camera.expand(FRAMES, 10)).project(points).numpy(),
                        joints3d_mm=(points - points[:, :1]).numpy(),
                        root_mm=points[:, 0].numpy(),
                        labelled2d=np.ones((FRAMES, 17), bool),
                        labelled3d=np.ones((FRAMES, 17), bool),
                        visible=np.ones((FRAMES, 17), bool),
                        camera=camera.numpy(),
                        subject=person,
                        action="walk",
                        sequence=f"walk {recording}",
                        view=name,
                        frame=np.arange(FRAMES) * 5,
                    )
                )
    return made, views


@pytest.fixture(scope="module")
def good(sequences, tmp_path_factory):
    path = tmp_path_factory.mktemp("stores") / "good.h5"
    write_store(path, sequences[0], skeleton=H36M17)
    return path


@pytest.fixture
def planted(good, tmp_path):
    """A copy of the good store with some columns changed past every check."""

    def plant(**changes):
        path = tmp_path / "planted.h5"
        path.write_bytes(good.read_bytes())
        with h5py.File(path, "r+") as file:
            for name, change in changes.items():
                values = file[name][()]
                change(values)
                file[name][()] = values
        return diagnose(path)

    return plant


def rows(good, **place):
    """The items of a person, sequence or view, in their order."""
    with h5py.File(good) as file:
        chosen = np.ones(len(file["frame"]), bool)
        for kind, name in place.items():
            number = file[f"{kind}_names"][()].tolist().index(name.encode())
            chosen &= file[kind][()] == number
    return np.flatnonzero(chosen)


def faults(diagnosis):
    return {finding.fault: finding for finding in diagnosis.findings}


def test_a_good_store_is_sound(good):
    diagnosis = diagnose(good)
    assert diagnosis.findings == []
    assert diagnosis.poses == 2 * 2 * 3 * FRAMES
    assert [each.name for each in diagnosis.views] == ["north", "south", "west"]
    assert all(each.max_px < 0.002 for each in diagnosis.views)
    assert all(each.histogram == [160, 0, 0, 0, 0, 0, 0] for each in diagnosis.views)


def scale(factor, which=slice(None)):
    def change(values):
        values[which] *= factor

    return change


def test_metres_are_named_where_2d_still_fits(planted):
    found = faults(planted(joints3d_mm=scale(0.001), root_mm=scale(0.001)))
    assert [*found] == ["metres-for-millimetres"]
    assert "1000" in found["metres-for-millimetres"].cure


def test_centimetres_are_another_unit_than_metres(planted):
    found = faults(planted(joints3d_mm=scale(0.1), root_mm=scale(0.1)))
    assert [*found] == ["wrong-unit"]
    assert "centimetres" in found["wrong-unit"].evidence


def test_a_root_in_metres_is_named(planted):
    found = faults(planted(root_mm=scale(0.001)))
    assert [*found] == ["metres-for-millimetres"]
    assert "root_mm" in found["metres-for-millimetres"].evidence


def test_a_transposed_rotation_of_one_camera_is_named_with_its_camera(planted, good, sequences):
    west = rows(good, view="west")
    turn = sequences[1].rotation[2].numpy()
    wrong = turn.T @ turn.T  # what R.T (X - T) is to R (X - T)

    def change(values):
        values[west] = values[west] @ wrong.T

    found = faults(planted(joints3d_mm=change, root_mm=change))
    assert [*found] == ["wrong-rotation", "y-up"]  # there people stand on their heads too
    assert found["wrong-rotation"].frames == 160
    assert found["wrong-rotation"].where == (
        "ann walk 0 west, ann walk 1 west, bob walk 0 west, bob walk 1 west"
    )


def test_a_y_up_camera_frame_is_a_rotation_by_180_degrees(planted):
    flip = scale(np.array([1, -1, -1], np.float32))
    found = faults(planted(joints3d_mm=flip, root_mm=flip))
    assert [*found] == ["wrong-rotation", "y-up"]
    assert "180.0 degrees" in found["wrong-rotation"].evidence


def test_a_doubled_tangential_factor_is_named(planted):
    def change(values):
        values[:, 9] = 3 - values[:, 9]

    diagnosis = planted(camera=change)
    assert [*faults(diagnosis)] == ["tangential-factor"]
    assert faults(diagnosis)["tangential-factor"].where.endswith("; north, south, west")
    assert max(each.max_px for each in diagnosis.views) < 2


def test_a_camera_without_its_distortion_is_named_with_the_numbers_it_lacks(planted, sequences):
    def change(values):
        values[:, 4:9] = 0

    found = faults(planted(camera=change))
    assert [*found] == ["missing-distortion"]
    k1 = found["missing-distortion"].evidence.partition("k1 k2 k3 p1 p2 = ")[2].split()[0]
    assert float(k1) == pytest.approx(sequences[1].camera.parameters[0, 4].item(), abs=0.002)


def test_2d_made_without_distortion_is_named(planted, good):
    with h5py.File(good) as file:
        camera = torch.from_numpy(file["camera"][()])
        points = torch.from_numpy(
            (file["joints3d_mm"][()] + file["root_mm"][()][:, None]).astype(np.float64)
        )
    camera[:, 4:9] = 0

    def change(values):
        values[:] = Camera(camera).project(points).numpy()

    assert [*faults(planted(joints2d_px=change))] == ["undistorted-2d"]


def test_exchanged_p1_and_p2_are_named(planted):
    def change(values):
        values[:, 7:9] = values[:, [8, 7]]

    assert [*faults(planted(camera=change))] == ["tangential-order"]


def test_swapped_sides_of_the_2d_are_counted_frame_by_frame(planted, good):
    swapped = rows(good, subject="bob", sequence="walk 0", view="south")[[3, 4, 30]]

    def change(values):
        values[swapped] = values[swapped][:, list(H36M17.mirror)]

    found = faults(planted(joints2d_px=change))
    assert [*found] == ["left-right-swap"]
    assert found["left-right-swap"].frames == 3
    assert found["left-right-swap"].where == "bob walk 0 south"


def test_sides_swapped_in_2d_and_3d_alike_show_in_the_motion(planted, good):
    swapped = rows(good, subject="ann", sequence="walk 1", view="north")[10:20]

    def change(values):
        values[swapped] = values[swapped][:, list(H36M17.mirror)]

    found = faults(planted(joints2d_px=change, joints3d_mm=change))
    assert [*found] == ["left-right-swap"]
    assert found["left-right-swap"].frames == 2  # into the swap and out of it


def test_a_whole_store_with_sides_exchanged_bends_its_knees_backwards(planted):
    def change(values):
        values[:] = values[:, list(H36M17.mirror)]

    found = faults(planted(joints2d_px=change, joints3d_mm=change))
    assert [*found] == ["mirrored"]
    assert found["mirrored"].frames == 2 * 2 * 3 * FRAMES


def test_a_frozen_capture_is_named(planted, good):
    still = rows(good, subject="ann", sequence="walk 0", view="west")[20:26]

    def change(values):
        values[still] = values[still[0]]

    found = faults(planted(joints2d_px=change, joints3d_mm=change, root_mm=change))
    assert [*found] == ["frozen"]
    assert found["frozen"].frames == 5  # the first of the six is real


def test_a_doubled_frame_is_named(planted, good):
    pair = rows(good, subject="bob", sequence="walk 0", view="west")[7:9]

    def change(values):
        values[pair[1]] = values[pair[0]]

    found = faults(planted(joints2d_px=change, joints3d_mm=change, root_mm=change))
    assert [*found] == ["duplicated"]
    assert found["duplicated"].frames == 1


def test_a_body_that_grows_for_some_frames_is_named(planted, good):
    grown = rows(good, subject="bob", sequence="walk 1", view="north")[5:11]

    def change(values):
        values[grown] *= 1.4  # root and pose alike: the 2D does not notice

    found = faults(planted(joints3d_mm=change, root_mm=change))
    assert [*found] == ["bones-change"]
    assert found["bones-change"].frames == 6


def test_pixels_counted_from_one_are_named_with_their_shift(planted):
    def change(values):
        values += 1

    found = faults(planted(joints2d_px=change))
    assert [*found] == ["shifted-2d"]
    assert "(1, 1) px" in found["shifted-2d"].evidence


def test_2d_of_a_picture_twice_as_large_is_outside_the_stored_one(planted):
    def change(values):
        values[:] = 500

    found = faults(planted(size_px=change))
    assert [*found] == ["outside-picture"]
    assert "500 x 500" in found["outside-picture"].evidence


def test_frames_of_2d_and_3d_that_do_not_belong_together_stay_unexplained(planted, good):
    late = rows(good, subject="ann", sequence="walk 0", view="south")

    def change(values):
        values[late] = np.roll(values[late], 4, axis=0)

    found = faults(planted(joints2d_px=change))
    assert [*found] == ["wrong-projection"]
    assert found["wrong-projection"].where == "ann walk 0 south"


def test_what_is_no_number_is_said_and_nothing_else_is_measured(planted):
    def change(values):
        values[17, 3, 0] = np.nan

    diagnosis = planted(joints3d_mm=change)
    assert [*faults(diagnosis)] == ["no-number"]
    assert diagnosis.views == []


def test_a_root_that_was_not_subtracted_is_named(planted, good):
    with h5py.File(good) as file:
        root = file["root_mm"][()][:, None]

    def add(values):
        values += root

    def zero(values):
        values[:] = 0

    found = faults(planted(joints3d_mm=add, root_mm=zero))
    assert [*found] == ["root-not-zero"]


def test_a_video_that_stands_still_while_people_move_is_named(sequences, tmp_path):
    greys = (torch.full((3, 1000, 1000), 6 * k, dtype=torch.uint8) for k in range(FRAMES))
    pictures = [encode_jpeg(grey) for grey in greys]
    clip = replace(sequences[0][0], pictures=[*pictures[:20], *[pictures[19]] * 5, *pictures[25:]])
    write_store(tmp_path / "video.h5", [clip], skeleton=H36M17, val="ann")
    found = faults(diagnose(tmp_path / "video.h5"))
    assert [*found] == ["frozen-pictures"]
    assert found["frozen-pictures"].frames == 5


def test_2d_alone_is_neither_measured_nor_blamed(sequences, tmp_path):
    flat = {"joints3d_mm": np.zeros((FRAMES, 17, 3)), "root_mm": np.zeros((FRAMES, 3))}
    clip = replace(sequences[0][0], labelled3d=np.zeros((FRAMES, 17), bool), **flat)
    write_store(tmp_path / "flat.h5", [clip], skeleton=H36M17, val="ann")
    diagnosis = diagnose(tmp_path / "flat.h5")
    assert diagnosis.sound
    assert diagnosis.views == []
