import numpy as np
import torch

from posezoo.contracts import DetectedPerson
from posezoo.inference.tracking import Tracker, overlap


def person(x, y=100.0, width=80.0, height=200.0):
    box = torch.tensor([x, y, width, height])
    joints = box[:2] + torch.rand(17, 2, generator=torch.Generator().manual_seed(0)) * box[2:]
    return DetectedPerson(box_px=box, score=0.9, joints2d=joints, confidence=torch.ones(17))


def test_overlap_is_intersection_over_union():
    one = np.array([0, 0, 2, 2.0])
    assert overlap(one, one) == 1
    assert overlap(one, np.array([1, 0, 2, 2.0])) == 2 / 6
    assert overlap(one, np.array([5, 5, 2, 2.0])) == 0


def test_ids_stay_whatever_the_order_of_the_detections():
    tracker = Tracker()
    for step in range(20):
        people = [person(100 + 4 * step), person(500 - 4 * step), person(300 + step, 400)]
        order = [(0, 1, 2), (2, 0, 1), (1, 2, 0)][step % 3]
        ids = tracker([people[k] for k in order])
        assert [ids[order.index(k)] for k in range(3)] == [0, 1, 2]


def test_two_who_walk_past_each_other_keep_their_ids():
    """They meet in the middle on one spot; only their speed tells them apart there."""
    tracker = Tracker()
    for step in range(40):
        people = [person(100 + 10 * step), person(500 - 10 * step)]
        if step <= 20:
            assert tracker(people) == [0, 1], f"step {step}"
        else:  # the detector gives them in the other order now
            assert tracker(people[::-1]) == [1, 0], f"step {step}"


def test_somebody_hidden_for_ten_frames_comes_back_as_themselves():
    tracker = Tracker()
    for step in range(10):
        assert tracker([person(100 + 12 * step)]) == [0]
    for _ in range(10):
        assert tracker([]) == []
    assert tracker([person(100 + 12 * 20)]) == [0]
    for _ in range(16):
        tracker([])
    assert tracker([person(100 + 12 * 37)]) == [1]


def test_a_newcomer_gets_a_new_id_and_a_stranger_far_off_is_not_taken_for_the_last():
    tracker = Tracker()
    assert tracker([person(100)]) == [0]
    assert tracker([person(900), person(101)]) == [1, 0]
    assert tracker([person(500)]) == [2]


def test_people_without_a_joint_are_told_apart_by_their_boxes():
    tracker = Tracker()
    blank = {"joints2d": torch.full((17, 2), torch.nan), "confidence": torch.zeros(17)}
    for step in range(5):
        boxes = torch.tensor([[10.0 + step, 0, 50, 90], [200.0 + step, 0, 50, 90]])
        people = [DetectedPerson(box_px=box, score=1.0, **blank) for box in boxes]
        assert tracker(people) == [0, 1]
