"""A small detector that keeps its contract, and violations of it, each caught by its own check."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from posezoo.contracts import DetectedPerson
from posezoo.registry import Entry
from posezoo.skeleton import SKELETONS
from posezoo.testing import run_checks


class Detector(nn.Module):
    """Puts every joint of its person at the brightest pixel of the box."""

    joint_set = "coco17"

    def __init__(self) -> None:
        super().__init__()
        self.eval()

    @torch.no_grad()
    def forward(self, picture, *, boxes=None):
        height, width = picture.shape[:2]
        if boxes is None:
            flat = picture.float().std() < 1
            boxes = torch.empty(0, 4) if flat else torch.tensor([[0.0, 0.0, width, height]])
        return [self.person(picture, box) for box in boxes]

    def person(self, picture, box):
        left, top, width, height = box.long().tolist()
        grey = picture[top : top + height, left : left + width].float().sum(-1)
        row, column = divmod(int(grey.argmax()), grey.shape[1])
        joints = self.placed(torch.tensor([column, row]), box).float()
        joints = joints.expand(SKELETONS["coco17"].num_joints, 2)
        return DetectedPerson(
            box_px=box, score=0.5, joints2d=joints, confidence=torch.full((17,), 0.5)
        )

    def placed(self, brightest, box):
        return brightest + box[:2]


def test_a_detector_that_keeps_its_contract_passes_everything(outcomes):
    found = outcomes("detector", Detector, joint_set="coco17")
    assert {o.check: o.note for o in found if o.result == "failed"} == {}
    assert sum(o.result == "passed" for o in found) == 13


def test_joints_of_the_crop_instead_of_the_picture(only_failure):
    class Crop(Detector):
        """Forgets the corner of the box."""

        def placed(self, brightest, box):
            return brightest

    message = only_failure("detector", Crop, of="joints are px of the picture as given")
    assert message.startswith("found joints 64.6 px from where they were")  # the length of (37, 53)
    assert "Add the corner of the crop" in message


def test_a_joint_set_that_nobody_knows(only_failure):
    class Unknown(Detector):
        """Has its own set."""

        joint_set = "coco18"

    message = only_failure("detector", Unknown, of="joint set is known")
    assert "found joint_set 'coco18'" in message


def test_a_manifest_that_names_another_joint_set(only_failure):
    message = only_failure("detector", Detector, of="joint set is known", joint_set="h36m17")
    assert "found joint_set = 'h36m17' in the manifest; expected 'coco17'" in message


def test_joints_of_another_number_than_the_set_has(only_failure):
    class Few(Detector):
        """Loses a joint."""

        def person(self, picture, box):
            person = super().person(picture, box)
            return replace(person, joints2d=person.joints2d[:16])

    message = only_failure("detector", Few, of="people have the declared shapes")
    assert "found joints2d of shape (16, 2)" in message


def test_a_network_that_was_never_set_to_eval(only_failure):
    class Training(Detector):
        """Forgets self.eval()."""

        def __init__(self) -> None:
            super().__init__()
            self.train()

    message = only_failure("detector", Training, of="it is ready to predict")
    assert "self.eval()" in message


def test_logits_for_confidence(only_failure):
    class Logits(Detector):
        """Gives logits."""

        def person(self, picture, box):
            return replace(super().person(picture, box), score=4.0)

    message = only_failure("detector", Logits, of="people have the declared shapes")
    assert "found a score or confidence of 0.5 to 4; expected 0 to 1" in message


def test_somebody_in_every_picture(only_failure):
    class Ghosts(Detector):
        """Sees people everywhere."""

        def forward(self, picture, *, boxes=None):
            height, width = picture.shape[:2]
            whole = torch.tensor([[0.0, 0.0, width, height]])
            return super().forward(picture, boxes=whole if boxes is None else boxes)

    message = only_failure("detector", Ghosts, of="a flat picture shows nobody")
    assert "found 1 people in a grey picture" in message


def test_people_that_are_dropped_or_sorted(only_failure):
    class Picks(Detector):
        """Gives the person of the leftmost box first."""

        def forward(self, picture, *, boxes=None):
            people = super().forward(picture, boxes=boxes)
            return sorted(people, key=lambda person: float(person.box_px[0]))

    message = only_failure("detector", Picks, of="each box gives its person")
    assert "when the boxes come in another order" in message


def test_a_picture_that_is_written_to(only_failure):
    class Writes(Detector):
        """Inverts the picture in place, twice over less one."""

        def forward(self, picture, *, boxes=None):
            people = super().forward(picture, boxes=boxes)
            picture[0, 0] = 255 - picture[0, 0]
            return people

    message = only_failure("detector", Writes, of="the picture is left as it was")
    assert "Work on a copy" in message


def test_a_detector_that_needs_boxes_says_so_and_passes(outcomes):
    class NeedsBoxes(Detector):
        """Cannot look for people."""

        def forward(self, picture, *, boxes=None):
            if boxes is None:
                raise ValueError("give it boxes")
            return super().forward(picture, boxes=boxes)

    found = {o.check: o for o in outcomes("detector", NeedsBoxes)}
    assert found["a flat picture shows nobody"].result == "skipped"
    assert {o.result for o in found.values()} == {"passed", "skipped"}


@pytest.mark.parametrize(("requires", "result"), [(("nothing-such",), "skipped"), ((), "failed")])
def test_a_library_that_is_not_installed_is_no_failure_where_the_card_names_it(requires, result):
    class Adapter(Detector):
        """Stands on a library."""

        def __init__(self) -> None:
            import nothing_such  # noqa: F401 - it is not there

    entry = Entry(
        kind="detector",
        key="mine",
        target="tests:Adapter",
        summary="An entry of a test.",
        licence="MIT",
        origin="a test",
        requires=requires,
        constructor=Adapter,
    )
    found = {o.check: o.result for o in run_checks(entry)}
    assert found["members of its kind are there"] == result
