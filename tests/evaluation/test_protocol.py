"""The averages of the protocols, against values worked out by hand."""

import pytest
import torch

from posezoo.camera import Camera
from posezoo.contracts import PoseResult, Sample
from posezoo.data.convert.h36m_faults import fixes
from posezoo.evaluation.evaluate import evaluate
from posezoo.evaluation.protocol import find_protocol, protocols
from posezoo.skeleton import H36M17
from posezoo.testing import rounding

ALL = torch.ones(1, 17, dtype=torch.bool)
MM = rounding(terms=4, magnitude=1000.0)  # of a joint; averages are in float64
# Subject, action, sequence, and by how many mm each joint but the root is off.
SEQUENCES = [
    ("S9", "Directions", "S9/Directions", 34),
    ("S9", "Directions", "S9/Directions 1", 51),
    ("S9", "Greeting", "S9/Greeting", 170),
    ("S9", "Waiting", "S9/Waiting_1", 340),
    ("S9", "Waiting", "S9/Waiting 2", 85),
    ("S11", "Directions", "S11/Directions", 680),
    ("S11", "Waiting", "S11/Waiting", 17),
    ("S1", "Walking", "S1/Walking", 102),
]


class Sequences:
    skeleton, subjects = H36M17, ("S1", "S9", "S11")

    def __init__(self, sequences=SEQUENCES):
        self.sequences = sequences

    def __len__(self):
        return len(self.sequences)

    def __getitem__(self, index):
        subject, action, sequence, off = self.sequences[index]
        joints = torch.linspace(-300, 300, 51).view(1, 17, 3)
        return Sample(
            joints2d=torch.full((1, 17, 2), float(off)),
            joints3d=joints - joints[:, :1],
            root_mm=torch.tensor([[0.0, 0.0, 4000.0]]),
            labelled2d=ALL,
            labelled3d=ALL,
            visible=ALL,
            camera=Camera.make(focal_px=(300, 300), centre_px=(128, 128)),
            subject=subject,
            action=action,
            sequence=sequence,
        )


class Off:
    """Every joint but the root is off by as much as the dataset wrote into the 2D."""

    skeleton, training, mean_pose = H36M17, False, torch.zeros(17, 3)
    has_image, spec = False, "off"

    def eval(self):
        pass

    def train(self, mode):
        pass

    def predicted_frames(self, batch):
        return batch

    def predict(self, batch):
        off = torch.zeros_like(batch.joints3d)
        off[..., 1:, 0] = batch.joints2d[..., 1:, 0]
        return PoseResult(joints3d=batch.joints3d + off)


def mpjpe(protocol, data=None):
    return evaluate(
        Off(),
        data or Sequences(),
        find_protocol(protocol),
        data="sequences",
        batch_size=3,
        device=torch.device("cpu"),
    ).total["mpjpe_mm"]


# 16 of 17 joints are off, so a sequence that is 17 mm off has an MPJPE of 16 mm.
@pytest.mark.parametrize(
    ("protocol", "expected"),
    [
        ("poses", 16 * (2 + 3 + 10 + 20 + 5 + 40 + 1 + 6) / 8),
        # Directions (2, 3, 40), Greeting 10, Waiting (20, 5, 1), Walking 6
        ("actions", 16 * (15 + 10 + 26 / 3 + 6) / 4),
        # S1 6, S9 (2, 3, 10, 20, 5), S11 (40, 1)
        ("subjects", 16 * (6 + 8 + 20.5) / 3),
        # without S11's Directions but with S9's: Directions (2, 3), Greeting 10, Waiting (20, 5, 1)
        ("h36m-p1-vp3d", 16 * (2.5 + 10 + 26 / 3) / 3),
        # without S9's Greeting and Waiting 1: Directions (2, 3, 40), Waiting (5, 1)
        ("h36m-p1-motionbert", 16 * (15 + 3) / 2),
        ("h36m-report-s1val", 16 * 6),
    ],
)
def test_protocols_average_as_they_say(protocol, expected):
    assert mpjpe(protocol) == pytest.approx(expected, abs=MM)


def test_protocol_2_counts_every_64th_pose_of_both_people():
    counted, others = ("S9", "Walking", "S9/Walking", 34), ("S9", "Walking", "S9/Walking", 9999)
    last = ("S11", "Walking", "S11/Walking", 68)
    found = mpjpe("h36m-p2-64", Sequences([counted, *[others] * 63, last]))
    assert found == pytest.approx(48, abs=MM)


def test_sequences_are_left_out_under_every_name_that_an_importer_gives_them():
    """The table of known faults has the names of most sources; MotionBERT's own are numbers."""
    faults = {"h36m-p1-vp3d": "drop-s11-directions", "h36m-p1-motionbert": "drop-s9-shifted"}
    shifted = ("05_subact_02", "10_subact_02", "13_subact_01")
    numbers = {
        "h36m-p1-vp3d": {"S11/act_02_subact_02"},
        "h36m-p1-motionbert": {f"S9/act_{number}" for number in shifted},
    }
    for key, fault in faults.items():
        fix = fixes()[fault]
        spaced = {f"{fix.subject}/{name}" for name in fix.sequences}
        expected = spaced | {name.replace(" ", "_") for name in spaced} | numbers[key]
        assert {*protocols()[key].drop} == expected


def test_every_hash_is_its_own():
    assert len({each.hash for each in protocols().values()}) == len(protocols())
