from dataclasses import replace

import pytest
import torch

from posezoo.assembly import build_dataset, build_pipeline
from posezoo.contracts import PoseResult
from posezoo.data.batches import only_sample
from posezoo.evaluation.evaluate import evaluate
from posezoo.evaluation.protocol import Protocol, find_protocol, protocols
from posezoo.testing import rounding
from posezoo.testing.examples import people

CPU = torch.device("cpu")
# A lifter in other batches: 34 inputs, 5 layers of 16, 51 outputs; errors are of a pose's size.
ROUNDED = rounding(terms=34 + 5 * 16 + 51, magnitude=1.0)


@pytest.fixture(scope="module")
def world():
    torch.manual_seed(0)
    pipeline = build_pipeline("martinez:width=16").eval()
    data = build_dataset("synthetic:items=48", split="val", image_size=0, seed=0)
    pipeline.mean_pose.copy_(data.__getitems__(range(48)).joints3d[:, 0].mean(0))
    return pipeline, data


def errors(world, protocol="poses", **options):
    pipeline, data = world
    options = {"batch_size": 16, "device": CPU, "data": "synthetic", **options}
    known = protocol if isinstance(protocol, Protocol) else find_protocol(protocol)
    return evaluate(pipeline, data, known, **options)


def test_errors_are_those_of_the_formula(world):
    pipeline, data = world
    batch = data.__getitems__(range(48))
    with torch.no_grad():
        distance = (pipeline.predict(batch).joints3d - batch.joints3d.double()).norm(dim=-1)
    result = errors(world)
    assert result.total["mpjpe_mm"] == pytest.approx(distance.mean().item(), rel=ROUNDED)
    mean_pose = (pipeline.mean_pose.double() - batch.joints3d).norm(dim=-1).mean().item()
    assert result.total["mean_pose_mpjpe_mm"] == pytest.approx(mean_pose)
    assert result.samples == 48
    assert result.total["error_2d_px"] == 0  # a bare lifter is given the true ones
    assert result.ground_truth_inputs == ("2D joints", "camera")


def test_the_batch_size_does_not_change_the_numbers(world):
    one, other = errors(world).total, errors(world, batch_size=5).total
    assert one == pytest.approx(other, rel=ROUNDED)


def test_groups_average_back_to_the_whole(world):
    result = errors(world)
    joints = [e["mpjpe_mm"] for e in result.per_joint.values()]
    assert len(joints) == 17
    assert sum(joints) / 17 == pytest.approx(result.total["mpjpe_mm"])
    assert result.per_joint["pelvis"]["mpjpe_mm"] == 0


def test_protocols_weigh_people_joints_and_poses_as_they_say(world):
    subjects = errors(world, "subjects")
    people = [e["mpjpe_mm"] for e in subjects.per_subject.values()]
    assert subjects.total["mpjpe_mm"] == pytest.approx(sum(people) / len(people))
    assert len(errors(world, "poses14").per_joint) == 14
    assert errors(world, Protocol(key="x", summary="", stride=4)).samples == 12


def test_a_protocol_counts_its_people_and_leaves_out_its_sequences(world):
    pipeline, data = world
    some = data.subjects[0]
    one = errors(world, Protocol(key="x", summary="", subjects=(some,)))
    assert [*one.per_subject] == [some]
    assert 0 < one.samples < 48
    with pytest.raises(ValueError, match="synthetic: protocol x leaves no pose of it"):
        errors(world, Protocol(key="x", summary="", subjects=("S9",)))

    class Named:
        """The same people, each item a sequence of its own."""

        skeleton, subjects = data.skeleton, data.subjects

        def __len__(self):
            return len(data)

        def __getitem__(self, index):
            return replace(data[index], sequence=f"sequence{index}")

    dropped = Protocol(key="x", summary="", drop=("sequence3", "sequence47", "sequence99"))
    assert errors((pipeline, Named()), dropped).samples == 46


def test_joints_without_truth_do_not_count(world):
    pipeline, data = world

    class Handless:
        skeleton, subjects = data.skeleton, data.subjects

        def __len__(self):
            return len(data)

        def __getitem__(self, index):
            sample = data[index]
            labelled = sample.labelled3d.clone()
            labelled[:, [13, 16]] = False
            joints3d = sample.joints3d * labelled[..., None]
            return replace(sample, labelled3d=labelled, joints3d=joints3d)

    whole, handless = errors(world), errors((pipeline, Handless()))
    assert "mpjpe_mm" not in handless.per_joint["left_wrist"]
    others = [e["mpjpe_mm"] for n, e in whole.per_joint.items() if not n.endswith("wrist")]
    assert handless.total["mpjpe_mm"] == pytest.approx(sum(others) / 15, rel=ROUNDED)


def test_data_without_3d_is_refused(world):
    pipeline, data = world

    class Flat:
        skeleton, subjects = data.skeleton, data.subjects

        def __len__(self):
            return len(data)

        def __getitem__(self, index):
            sample = data[index]
            return replace(sample, labelled3d=torch.zeros_like(sample.labelled3d))

    with pytest.raises(ValueError, match="no joint is labelled for mpjpe_mm"):
        errors((pipeline, Flat()))


@pytest.fixture
def tall(world, monkeypatch):
    """Predicts everybody a tenth too tall."""
    pipeline, data = world

    def predict(batch):
        return PoseResult(joints3d=1.1 * pipeline.predicted_frames(batch).joints3d)

    monkeypatch.setattr(pipeline, "predict", predict)
    return pipeline, data


def test_a_person_a_tenth_too_tall_has_bones_a_tenth_too_long_and_is_symmetric(tall):
    _, data = tall
    joints = data.__getitems__(range(48)).joints3d
    bones = (joints[..., 1:, :] - joints[..., list(data.skeleton.parents[1:]), :]).norm(dim=-1)
    found = errors(tall).total
    assert found["bone_length_mm"] == pytest.approx(0.1 * bones.mean().item(), rel=1e-5)
    assert found["symmetry_mm"] < 1e-3
    assert found["n_mpjpe_mm"] < 1e-3
    assert "mpjve_mm" not in found  # single poses have no velocity


class Clips:
    """Two frames of each of four people, or the same frame twice as at the start of a sequence."""

    subjects = ("P",)

    def __init__(self, skeleton, *, still=False):
        self.skeleton = skeleton
        self.batch = people(4, frames=2)
        if still:
            self.batch.joints3d[:, 0] = self.batch.joints3d[:, 1]

    def __len__(self):
        return 4

    def __getitem__(self, index):
        return only_sample(self.batch.items(torch.tensor([index])))


def test_velocity_is_judged_by_the_frame_before_which_counts_nowhere_else(world, monkeypatch):
    pipeline, data = world
    off = torch.zeros(2, 17, 3)
    off[0, 3, 0], off[1, 3, 0] = 20, 30  # 10 mm a frame too fast along x, at one joint

    def shifted(batch):
        return PoseResult(joints3d=batch.joints3d + off)

    monkeypatch.setattr(pipeline, "predict", shifted)
    found = errors((pipeline, Clips(data.skeleton)), lead=1)
    assert found.samples == 4
    assert found.total["mpjpe_mm"] == pytest.approx(30 / 17)
    assert found.total["mpjve_mm"] == pytest.approx(10 / 17)
    assert found.per_joint["right_ankle"]["mpjve_mm"] == pytest.approx(10)
    assert "mpjve_mm" not in errors((pipeline, Clips(data.skeleton, still=True)), lead=1).total


def test_max_samples_are_spread_over_the_split(world):
    assert errors(world, max_samples=12).samples == 12
    assert len(errors(world, max_samples=12).per_subject) > 1


def test_evaluating_leaves_the_pipeline_in_its_mode(world):
    pipeline, _ = world
    pipeline.train()
    errors(world)
    assert pipeline.training
    pipeline.eval()


def test_the_hash_follows_the_facts_and_not_the_words():
    plain = Protocol(key="a", summary="one")
    assert plain.hash == Protocol(key="b", summary="two").hash
    assert plain.hash != Protocol(key="a", summary="one", stride=2).hash
    assert len({p.hash for p in protocols().values()}) == len(protocols())


def test_an_unknown_protocol_suggests_a_near_one():
    with pytest.raises(ValueError, match="Did you mean 'actions'"):
        find_protocol("action")


class Holed:
    """A dataset with numbers of some items replaced, and frames of sequences."""

    def __init__(self, data, holes):
        self.data, self.holes = data, holes
        self.skeleton, self.subjects = data.skeleton, data.subjects

    def __len__(self):
        return len(self.data)

    def __getitem__(self, index):
        return only_sample(self.__getitems__([index]))

    def __getitems__(self, indices):
        batch = self.data.__getitems__(indices)
        joints2d, joints3d = batch.joints2d.clone(), batch.joints3d.clone()
        for row, index in enumerate(indices):
            if index in self.holes:
                field, number = self.holes[index]
                {"2d": joints2d, "3d": joints3d}[field][row, :, 5] = number
        return replace(
            batch,
            joints2d=joints2d,
            joints3d=joints3d,
            sequence=tuple(f"S{index % 3}/walk" for index in indices),
            frame=tuple(10 * index for index in indices),
        )


def test_a_pose_that_is_not_finite_is_named_and_counts_in_no_mean(world):
    pipeline, data = world
    holes = {7: ("2d", float("nan")), 20: ("3d", float("inf"))}
    found = errors((pipeline, Holed(data, holes)))
    assert [name.split(", subject")[0] for name in found.not_finite] == [
        "sequence 'S1/walk', frame 70",
        "sequence 'S2/walk', frame 200",
    ]
    assert found.samples == 48
    assert found.to_dict()["not_finite"] == found.not_finite
    # The others, evaluated without them, have the same errors.
    rest = [k for k in range(48) if k not in holes]
    batch = data.__getitems__(rest)
    with torch.no_grad():
        distance = (pipeline.predict(batch).joints3d - batch.joints3d.double()).norm(dim=-1)
    assert found.total["mpjpe_mm"] == pytest.approx(distance.mean().item(), rel=ROUNDED)
    assert found.total["pck150"] <= 1
    assert found.cells["mpjpe_mm"].count and sum(found.cells["mpjpe_mm"].count) == 46 * 17


def test_good_data_have_no_pose_that_is_not_finite(world):
    assert errors(world).not_finite == ()


def test_where_no_pose_is_finite_the_evaluation_says_so(world):
    pipeline, data = world
    holes = dict.fromkeys(range(48), ("2d", float("nan")))
    with pytest.raises(ValueError, match=r"^none of 48 poses of synthetic has a finite error: "):
        errors((pipeline, Holed(data, holes)))
