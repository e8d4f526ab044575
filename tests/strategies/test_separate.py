import pytest
import torch

from posezoo.assembly import build_dataset, build_pipeline, build_strategy
from posezoo.data.loading import ordered_batches
from posezoo.detector_errors import DetectorErrors, JointErrors
from posezoo.geometry import person_size
from posezoo.skeleton import H36M17

PIPELINE = "resnet18-hm+martinez:width=32"


def names(strategy, pipeline):
    stages = build_strategy(strategy).stages(build_pipeline(pipeline))
    return [(stage.trains, stage.share) for stage in stages]


def test_on_true_joints_both_networks_learn_side_by_side_for_all_steps():
    assert names("separate", PIPELINE) == [(("backbone", "head", "lifter"), 1.0)]


def test_on_predicted_joints_the_lifter_waits_for_the_head():
    assert names("separate:lifter_input=predicted,lifter_share=0.25", PIPELINE) == [
        (("backbone", "head"), 0.75),
        (("lifter",), 0.25),
    ]


def test_without_a_lifter_only_the_head_learns():
    assert names("separate", "resnet18-hm") == [(("backbone", "head"), 1.0)]


def test_a_bare_lifter_cannot_learn_from_predictions():
    with pytest.raises(ValueError, match="lifter_input=true"):
        names("separate:lifter_input=predicted", "martinez:width=32")


@pytest.mark.parametrize("share", ["0", "1", "-1"])
def test_a_share_that_leaves_a_stage_no_steps_is_refused(share):
    with pytest.raises(ValueError, match="lifter_share"):
        build_strategy(f"separate:lifter_share={share}")


def model(tmp_path, deviation=0.02, confidence=0.5):
    """An error model of one deviation (in sizes) and one confidence."""
    plain = JointErrors(
        offset=(0.0, 0.0),
        covariance=((deviation**2, 0.0), (0.0, deviation**2)),
        missed=0.0,
        missed_covariance=((0.0, 0.0), (0.0, 0.0)),
        swapped=0.0,
        confidence=(confidence,) * 11,
        missed_confidence=(0.0,) * 11,
        swapped_confidence=(0.0,) * 11,
    )
    errors = DetectorErrors(
        joints=dict.fromkeys(H36M17.joints, plain),
        mirror=H36M17.mirror,
        shared=((0.0, 0.0), (0.0, 0.0)),
    )
    errors.save(tmp_path / "errors.json")
    return tmp_path / "errors.json"


class Listening:
    """Notes what a pipeline's lifter is given."""

    def __init__(self, pipeline):
        self.given = []
        pipeline.lift_loss = lambda joints2d, batch, confidence=None: (
            self.given.append((joints2d, confidence)) or torch.zeros((), requires_grad=True)
        )


def given(strategy, spec, progress, count=64):
    """What the last stage gives the lifter of a batch, and the batch."""
    pipeline = build_pipeline(spec)
    data = build_dataset("synthetic", split="val", image_size=64 if "-" in spec else 0)
    (batch,) = ordered_batches(data, indices=range(count), batch_size=count)
    torch.manual_seed(0)
    heard = Listening(pipeline)
    build_strategy(strategy).stages(pipeline.eval())[-1].losses(pipeline, batch, progress)
    return (*heard.given[0], batch, pipeline)


def test_drawn_errors_reach_a_bare_lifter_with_the_confidence_of_the_model(tmp_path):
    strategy = f"separate:lifter_input=noisy,errors={model(tmp_path)}"
    joints2d, confidence, batch, _ = given(strategy, "martinez:width=32", 0.0)
    error = (joints2d - batch.joints2d) / person_size(batch.joints2d)[..., None]
    assert error.std().item() == pytest.approx(0.02, rel=0.1)
    assert confidence.unique().tolist() == [0.5]


def test_drawn_errors_leave_the_head_to_learn_beside_the_lifter(tmp_path):
    strategy = f"separate:lifter_input=noisy,errors={model(tmp_path)}"
    assert names(strategy, PIPELINE) == [(("backbone", "head", "lifter"), 1.0)]


@pytest.mark.parametrize(("progress", "share"), [(0.0, 0.0), (0.25, 0.5), (0.5, 1.0), (0.9, 1.0)])
def test_a_curriculum_goes_from_true_joints_to_predicted_ones(progress, share):
    strategy = "separate:lifter_input=curriculum"
    joints2d, confidence, batch, pipeline = given(strategy, PIPELINE, progress)
    is_true = (joints2d == batch.joints2d).flatten(1).all(1)
    assert 1 - is_true.float().mean().item() == pytest.approx(share, abs=0.15)
    assert (confidence[is_true] == 1).all()
    predicted, sure = pipeline.head.decode(pipeline.heatmaps(batch.image))
    assert torch.equal(joints2d[~is_true, 0], predicted[~is_true])
    assert torch.equal(confidence[~is_true, 0], sure[~is_true])


@pytest.mark.parametrize(
    ("strategy", "message"),
    [
        ("separate:lifter_input=noisy", "both lifter_input=noisy and errors=FILE"),
        ("separate:errors=x.json", "both lifter_input=noisy and errors=FILE"),
        ("separate:lifter_input=curriculum", "lifter_input=noisy"),
        ("separate:lifter_input=noisy,errors=nowhere.json", "nowhere.json: no such error model"),
    ],
)
def test_inputs_that_cannot_be_had_are_refused(strategy, message):
    with pytest.raises(ValueError, match=message):
        names(strategy, "martinez:width=32")
