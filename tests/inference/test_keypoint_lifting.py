"""Joints from files, lifted by the lifter `standing`, for which everybody stands alike."""

from __future__ import annotations

import numpy as np
import pytest

from posezoo.data.keypoints.keypoints import FoundPose, KeypointFile, KeypointFrame
from posezoo.inference.keypoint_lifting import lift_keypoints, with_ears
from posezoo.inference.lens import Lens
from posezoo.skeleton import H36M17, get_skeleton

KNOWN = Lens(focal_px=700)


@pytest.fixture
def file_of(painted):
    """A file of people who stand at these places, mm, frame after frame."""

    def make(frames, ids=None, video=True, size=(640, 480)):
        return KeypointFile(
            tool="a tool",
            skeleton=H36M17,
            video=video,
            notes=("a note",),
            frames=tuple(
                KeypointFrame(
                    name=f"frame{n}",
                    size_px=size,
                    people=tuple(
                        FoundPose(
                            px=painted.project(root),
                            confidence=np.full(17, 0.8),
                            id=None if ids is None else ids[n][k],
                        )
                        for k, root in enumerate(roots)
                    ),
                )
                for n, roots in enumerate(frames)
            ),
        )

    return make


@pytest.fixture
def lift(painted, tmp_path):
    run = painted.save_standing(tmp_path / "run")

    def call(file, **options):
        return lift_keypoints(file, source="a.json", pipeline=run, **{"lens": KNOWN} | options)

    return call


def test_one_picture_gives_a_picture_with_everybody_where_they_stand(painted, file_of, lift):
    roots = [(100, 50, 3000), (-700, 0, 4000)]
    lifted = lift(file_of([roots]))
    prediction = lifted.prediction
    assert (prediction.source, prediction.width, prediction.frame) == ("frame0", 640, None)
    assert prediction.pipeline == "standing" and not prediction.camera_assumed
    for person, root in zip(prediction.people, roots, strict=True):
        np.testing.assert_allclose(person.joints3d, painted.POSE_MM, atol=1e-4)
        np.testing.assert_allclose(person.root_mm, root, atol=0.01)
        assert person.score == pytest.approx(0.8) and person.detected_joint_set == "h36m17"
    assert lifted.notes[0] == "a tool: 1 pictures" and lifted.notes[1] == "a note"
    assert lifted.notes[2].startswith("h36m17 to h36m17: exact: pelvis")
    assert (lifted.people, lifted.found) == (2, 2)


def test_ids_of_a_file_are_kept(file_of, lift):
    near, far = (-300, 0, 3000), (600, 0, 4000)
    file = file_of([[near, far], [far, near], [far]], ids=[[7, 3], [3, 7], [3]])
    video = lift(file, fps=10).prediction
    assert [[p.id for p in frame.people] for frame in video.frames] == [[7, 3], [3, 7], [3]]
    assert [frame.time_s for frame in video.frames] == [0, 0.1, 0.2] and video.fps == 10
    assert video.frames[1].people[0].root_mm[0] == pytest.approx(600, abs=0.01)


def test_people_without_ids_are_followed_through_a_video(file_of, lift):
    places = [[(-300 + 5 * n, 0, 3000), (600 - 5 * n, 0, 4000)] for n in range(6)]
    file = file_of([each if n % 2 else each[::-1] for n, each in enumerate(places)])
    seen = {}
    for frame in lift(file).prediction.frames:
        for person in frame.people:
            seen.setdefault(person.id, set()).add(round(person.root_mm[2] / 1000))
    assert sorted(seen.values(), key=min) == [{3}, {4}]


def test_people_of_unconnected_pictures_are_all_others(file_of, lift):
    file = file_of([[(0, 0, 3000), (500, 0, 3000)], [(0, 0, 3000)]], video=False)
    frames = lift(file).prediction.frames
    assert [[p.id for p in frame.people] for frame in frames] == [[0, 1], [2]]
    with pytest.raises(ValueError, match="no movement to smooth"):
        lift(file, smooth="savgol")


def test_the_size_of_the_pictures_must_come_from_somewhere(file_of, lift):
    file = file_of([[(0, 0, 3000)]], size=None)
    with pytest.raises(ValueError, match=r"a.json: .* give --width PX --height PX"):
        lift(file)
    assert lift(file, size_px=(800, 600), lens=Lens()).prediction.camera.focal[0] == 960


def test_a_pipeline_without_a_lifter_is_refused(file_of, lift, painted):
    with pytest.raises(ValueError, match="'marks' has no lifter: give a run or weights"):
        lift_keypoints(file_of([[(0, 0, 3000)]]), source="a.json", pipeline="marks")


COCO = get_skeleton("coco17")
NOSE, LEFT_EYE, RIGHT_EYE, LEFT_EAR, RIGHT_EAR = range(5)


@pytest.mark.parametrize(
    ("lost", "expected"),
    [
        ((), {LEFT_EAR: (30, 3), RIGHT_EAR: (40, 4)}),
        ((LEFT_EAR,), {LEFT_EAR: (40, 4), RIGHT_EAR: (40, 4)}),
        ((LEFT_EAR, RIGHT_EAR), {LEFT_EAR: (15, 1.5), RIGHT_EAR: (15, 1.5)}),  # the eyes' middle
        ((LEFT_EAR, RIGHT_EAR, LEFT_EYE), {LEFT_EAR: (20, 2)}),
        ((LEFT_EAR, RIGHT_EAR, LEFT_EYE, RIGHT_EYE), {LEFT_EAR: (0, 0)}),
        (range(5), {LEFT_EAR: (np.nan, np.nan)}),
    ],
)
def test_an_ear_that_is_not_seen_lies_where_the_rest_of_the_face_does(lost, expected):
    px = np.arange(17)[:, None] * [10.0, 1.0]
    confidence = np.full(17, 0.8)
    px[list(lost)], confidence[list(lost)] = np.nan, 0
    filled, sure, guessed = with_ears(px, confidence, COCO)
    for ear, place in expected.items():
        np.testing.assert_array_equal(filled[ear], place)
    assert guessed == (0 < len(lost) < 5)
    assert sure[LEFT_EAR] == (0.8 if not lost else 0.4 if guessed else 0)
    assert np.isnan(px[list(lost)]).all()  # what was found stays as it was found
