from dataclasses import replace

import numpy as np
import pytest
import torch

import posezoo
from posezoo.contracts import DetectedPerson
from posezoo.inference.finding import Found
from posezoo.inference.lens import Lens
from posezoo.inference.lifting import in_joint_set
from posezoo.inference.picture import Picture
from posezoo.inference.predictor import Predictor
from posezoo.skeleton import get_skeleton

KNOWN = Lens(focal_px=700)


@pytest.fixture
def predictor(painted, tmp_path):
    return Predictor(painted.save_standing(tmp_path / "run"), detector="marks", lens=KNOWN)


def test_a_picture_gives_everybody_where_they_stand(painted, predictor):
    roots = [(100, 50, 3000), (-700, 0, 4000)]
    prediction = predictor.picture(painted.paint([painted.project(root) for root in roots]))
    assert prediction.pipeline == "marks+standing"
    assert not prediction.camera_assumed
    for person, root in zip(prediction.people, roots, strict=True):
        np.testing.assert_allclose(person.joints3d, painted.POSE_MM, atol=1e-4)
        np.testing.assert_allclose(person.root_mm, root, atol=0.1)
        np.testing.assert_allclose(person.joints2d, painted.project(root), atol=0.003)
        assert person.warnings == ()


def test_where_the_camera_is_assumed_the_place_is_unknown(painted, predictor):
    picture = painted.paint([painted.project((0, 0, 3000))])
    prediction = predictor.picture(picture, lens=Lens())
    assert prediction.camera_assumed and prediction.people[0].root_mm is None


def test_a_joint_outside_the_picture_is_unknown_to_marks_so_there_is_no_3d(painted, predictor):
    picture = painted.paint([painted.project((0, 600, 3000))])
    (person,) = predictor.picture(picture).people
    assert person.joints3d is None and person.root_mm is None
    assert np.isnan(person.joints2d).any()
    assert any(warning.startswith("no 3D: ") for warning in person.warnings)


def test_an_empty_picture_has_no_people(painted, predictor):
    assert predictor.picture(painted.paint([])).people == ()


def test_pictures_in_a_batch_are_the_pictures_alone(painted, predictor):
    pictures = [
        painted.paint([painted.project((x, 0, 3000)), painted.project((x - 600, 0, 4000))])
        for x in (0, 200, 400)
    ]
    for together, picture in zip(predictor.pictures(pictures), pictures, strict=True):
        alone = predictor.picture(picture)
        assert len(together.people) == len(alone.people) == 2
        for one, other in zip(together.people, alone.people, strict=True):
            np.testing.assert_array_equal(one.joints3d, other.joints3d)


def frames_of(painted, places, size=(640, 480)):
    """Frames at 25 a second of people at these places: {number: (T, 3) mm, NaN where nobody is}."""
    steps = len(next(iter(places.values())))
    for step in range(steps):
        here = [np.full((17, 2), -9.0)] * (max(places) + 1)
        for number, path in places.items():
            if np.isfinite(path[step]).all():
                here[number] = painted.project(path[step])
        yield Picture(pixels=painted.paint(here, size), frame=step, time_s=step / 25)


def walk(start, stop, steps=40):
    return np.linspace(start, stop, steps)


def test_ids_stay_when_people_pass_each_other_and_when_one_is_away(painted, predictor):
    """The nearer comes first in every frame; they cross in the middle, and one is away twice."""
    left, right = walk((-700, 0, 3000), (700, 0, 3000)), walk((700, 0, 4200), (-700, 0, 3900))
    right[[10, 11, 12, 30]] = np.nan
    video = predictor.video(frames_of(painted, {0: left, 1: right}))
    assert len(video.frames) == 40 and video.fps == pytest.approx(25)
    placed = 0
    for step, frame in enumerate(video.frames):
        assert (frame.frame, frame.time_s) == (step, step / 25)
        by_id = {person.id: person.root_mm for person in frame.people}
        assert (0 in by_id) and (1 in by_id) == np.isfinite(right[step]).all()
        for number, path in enumerate((left, right)):
            if by_id.get(number) is not None:  # a mark that another hides has no place
                np.testing.assert_allclose(by_id[number], path[step], atol=1)
                placed += 1
    assert placed > 60


def test_without_tracking_ids_count_within_a_frame(painted, predictor):
    places = {0: walk((-700, 0, 4000), (700, 0, 3000)), 1: walk((700, 0, 3000), (-700, 0, 4000))}
    video = predictor.video(frames_of(painted, places), track=False)
    assert all([p.id for p in frame.people] == [0, 1] for frame in video.frames)


def test_smoothing_halves_a_jitter_and_leaves_gaps_alone(painted, predictor):
    random = np.random.default_rng(0)
    path = walk((-300, 0, 3000), (300, 0, 3000), 60) + random.normal(0, 15, (60, 3))
    path[30:33] = np.nan
    plain = predictor.video(frames_of(painted, {0: path}))

    def roots(video):
        return np.array([f.people[0].root_mm if f.people else [np.nan] * 3 for f in video.frames])

    def jitter(video):
        change = np.diff(roots(video), 2, axis=0)
        return np.sqrt((change[np.isfinite(change).all(1)] ** 2).sum(1).mean())

    for how in ("one-euro", "savgol"):
        smoothed = predictor.video(frames_of(painted, {0: path}), smooth=how)
        assert jitter(smoothed) < jitter(plain) / 2
        assert np.isnan(roots(smoothed)[30:33]).all()
        # After a gap a filter begins anew: the first frame is what was seen there.
        if how == "one-euro":
            np.testing.assert_allclose(roots(smoothed)[33], roots(plain)[33])
    with pytest.raises(ValueError, match="leave out --no-track"):
        predictor.video(frames_of(painted, {0: path}), smooth="savgol", track=False)


class Follower:
    """Counts how often it looks for people, and how often it follows those it knows."""

    joint_set = "h36m17"

    def __init__(self, marks):
        self.marks, self.looked, self.followed = marks, 0, 0

    def __call__(self, picture, *, boxes=None):
        self.looked += 1
        return self.marks(picture)

    def follow(self, picture, people):
        self.followed += 1
        now = self.marks(picture)
        return [
            min(now, key=lambda each: float((each.box_px - one.box_px).abs().sum()), default=None)
            for one in people
        ]


def test_a_detector_that_can_follow_is_asked_to_look_every_tenth_frame(painted, predictor):
    follower = Follower(painted.Marks())
    predictor.finder.detector = follower
    late = walk((900, 0, 4000), (300, 0, 4000))
    late[:15] = np.nan
    places = {0: walk((-700, 0, 3000), (-200, 0, 3000)), 1: late}
    video = predictor.video(frames_of(painted, places))
    assert follower.looked == 4 and follower.followed == 39
    counts = [len(frame.people) for frame in video.frames]
    assert counts == [1] * 20 + [2] * 20  # seen at 15, looked for at 20; nobody twice
    assert all(frame.people[0].id == 0 for frame in video.frames)


def test_predict_gives_people_with_what_one_does_with_them(painted, tmp_path):
    run = painted.save_standing(tmp_path / "run")
    path = painted.save_photo(tmp_path / "photo.png", [(100, 50, 3000), (-700, 0, 4000)])
    given = {"pipeline": run, "detector": "marks", "focal": 700}
    people = posezoo.predict(path, **given)
    assert len(people) == 2
    np.testing.assert_allclose(people[0].root_mm, (100, 50, 3000), atol=0.1)
    assert people[0].joints3d.shape == (17, 3) and people[0].joints2d.shape == (17, 2)
    assert people[0].confidence.shape == (17,)
    assert people[0].camera.focal.tolist() == [700, 700]
    content = people[1].to_json(tmp_path / "second.json")
    assert len(content["people"]) == 1 and (tmp_path / "second.json").is_file()
    people[0].to_bvh(tmp_path / "first.bvh")
    assert (tmp_path / "first.bvh").read_text().startswith("HIERARCHY")
    assert people[0].plot().axes
    tensor = torch.from_numpy(painted.paint([painted.project((0, 0, 3000))]))
    assert posezoo.predict(tensor, **given)[0].prediction.source == ""


def test_predict_takes_what_load_gives_and_a_predictor(painted, tmp_path, predictor):
    pipeline = posezoo.load(painted.save_standing(tmp_path / "other"))
    assert isinstance(pipeline, posezoo.Pipeline)
    picture = painted.paint([painted.project((0, 0, 3000))])
    camera = painted.CAMERA
    for given in ({"pipeline": pipeline, "detector": "marks"}, {"pipeline": predictor}):
        (person,) = posezoo.predict(picture, camera=camera, **given)
        np.testing.assert_allclose(person.root_mm, (0, 0, 3000), atol=0.1)


def test_a_video_is_not_predicted_as_a_picture():
    with pytest.raises(ValueError, match=r"posezoo.Predictor\(\).video\('dance.mp4'\)"):
        posezoo.predict("dance.mp4")


@pytest.mark.parametrize(
    ("pipeline", "detector", "words"),
    [
        ("resnet18-hm+martinez", None, "has random weights: train it"),
        ("marks+standing", None, "'standing' has random weights"),
        ("marks+standing.none", None, "weights 'standing.none' are not here"),
        ("marks+martin", None, "Did you mean 'martinez'"),
        ("marks", "marks", "leave out --detector"),
        ("runs/none", None, "runs/none"),
    ],
)
def test_a_pipeline_that_cannot_predict_is_one_line(painted, pipeline, detector, words):
    with pytest.raises(ValueError) as error:
        Predictor(pipeline, detector=detector)
    assert words in str(error.value) and "\n" not in str(error.value)


def test_a_detector_alone_gives_2d(painted):
    (person,) = Predictor("marks").picture(painted.paint([painted.project((0, 0, 3000))])).people
    assert person.joints3d is None
    np.testing.assert_allclose(person.joints2d, painted.project((0, 0, 3000)), atol=0.003)


@pytest.fixture
def of_any(painted, tmp_path):
    """An untrained lifter of any joints behind the same detector."""
    painted.save_standing(tmp_path / "run")  # registers the detector
    torch.manual_seed(0)
    pipeline = posezoo.build("anylift:depth=1,heads=2,width=8")
    return Predictor(pipeline, detector="marks", lens=KNOWN)


def test_a_lifter_of_any_joints_needs_only_some_and_says_how_sure_it_is(painted, of_any):
    whole, cut = (
        of_any.picture(painted.paint([painted.project((0, y, 3000))])).people[0] for y in (0, 600)
    )
    for person in (whole, cut):
        assert person.joints3d.shape == (17, 3) and np.isfinite(person.joints3d).all()
        assert person.sigma_mm[0] == 0 and (person.sigma_mm[1:] > 0).all()
    assert np.isfinite(whole.joints2d).all() and np.isnan(cut.joints2d).any()
    assert not any(warning.startswith("no 3D") for warning in cut.warnings)


def test_it_is_told_the_detector_s_own_joints(painted, of_any):
    """The ears of a COCO detector, which no joint of Human3.6M's stands for, move its answer."""
    of_any.pipeline.lifter.out.data.normal_(std=0.1)
    coco = get_skeleton("coco17")
    of_any.finder.joint_set = coco
    found = DetectedPerson(
        box_px=torch.tensor([100.0, 100, 200, 300]),
        score=1.0,
        joints2d=200 + 100 * torch.rand(17, 2),
        confidence=torch.ones(17),
    )
    turned = replace(found, joints2d=found.joints2d.index_add(
        0, torch.tensor([3, 4]), torch.tensor([[30.0, 0], [30, 0]])))  # fmt: skip
    camera = KNOWN.camera(width=640, height=480)
    poses = []
    for each in (found, turned):
        seen = Found(detected=each, joints=in_joint_set(each, coco, of_any.pipeline.skeleton))
        ((pose,),) = of_any.lift([[seen]], [camera])
        poses.append(pose.joints3d)
    assert np.abs(poses[0] - poses[1]).max() > 1
