from dataclasses import replace

import pytest
import torch

from posezoo.assembly import build_dataset, build_pipeline, build_strategy, dataset_for
from posezoo.testing import assert_equal_up_to_rounding
from posezoo.testing.examples import people
from posezoo.training.ema import Ema
from posezoo.training.loss_terms import describe_losses

SMALL = "resnet18:cut=layer1-hm:block_b=false,kernel=3,strides=1,decode=soft+martinez:width=16"


@pytest.fixture(scope="module")
def batch():
    return build_dataset("synthetic", image_size=32).__getitems__(range(4))


@pytest.fixture
def pipeline():
    torch.manual_seed(0)
    return build_pipeline(SMALL)


def test_a_picture_goes_in_and_17_joints_in_mm_come_out(pipeline, batch):
    result = pipeline.eval()(batch.image, batch.camera)
    assert result.maps.shape == (4, 17, 8, 8)
    assert result.joints2d.shape == (4, 1, 17, 2)
    assert result.joints3d.shape == (4, 1, 17, 3)
    assert result.joints3d[:, :, 0].abs().max() == 0
    assert result.confidence.shape == (4, 17)


def test_bytes_and_floats_of_a_picture_are_the_same_picture(pipeline, batch):
    pipeline.eval()
    floats = pipeline.heatmaps(batch.image.float() / 255)
    assert torch.equal(pipeline.heatmaps(batch.image), floats)


def test_the_lifter_computes_in_float32_under_autocast(pipeline, batch):
    pipeline.eval()
    exact = pipeline.lift(batch.joints2d, batch.camera)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(pipeline.lift(batch.joints2d, batch.camera), exact)


def test_a_lifter_alone_that_learns_multiplies_in_bfloat16_and_measures_in_float32(batch):
    torch.manual_seed(0)
    alone = build_pipeline("martinez:width=16,input=rays,dropout=0.0,zero_init=true").train()
    alone.fit_normalisation(batch)
    seen = []
    alone.lifter.stem.register_forward_hook(lambda _, given, told: seen.append((given[0], told)))
    with torch.autocast("cpu", torch.bfloat16):
        joints3d = alone.lift(batch.joints2d, batch.camera)
    ((given, told),) = seen
    assert (given.dtype, told.dtype) == (torch.float32, torch.bfloat16)
    # It answers 0 z-scores, the mean pose: turned to the camera in bfloat16, 2 mm would be lost.
    exact = alone.eval().lift(batch.joints2d, batch.camera)
    assert joints3d.dtype == torch.float32 and torch.equal(joints3d, exact)


def test_a_lifter_that_predicts_or_learns_beside_a_head_stays_in_float32(pipeline, batch):
    for learns, part in ((False, build_pipeline("martinez:width=16")), (True, pipeline)):
        part.train(learns)
        seen = []
        part.lifter.stem.register_forward_hook(lambda *each, seen=seen: seen.append(each[2].dtype))
        with torch.autocast("cpu", torch.bfloat16):
            part.lift(batch.joints2d, batch.camera)
        assert seen == [torch.float32]


def test_a_lifter_that_takes_confidence_is_told_the_head_s_and_1_of_true_joints(batch):
    pipeline = build_pipeline(SMALL + ",confidence=true").eval()
    seen = []
    pipeline.lifter.register_forward_pre_hook(lambda _, given: seen.append(given[2]))
    result = pipeline(batch.image, batch.camera)
    assert torch.equal(seen[0], result.confidence[:, None])
    on_true = pipeline.lift(batch.joints2d, batch.camera)
    assert torch.equal(seen[1], torch.ones(4, 1, 17))
    stage = build_strategy("multitask").stages(pipeline)[0]
    stage.losses(pipeline.train(), batch, 0.0)
    assert seen[2].shape == (4, 1, 17) and not seen[2].requires_grad
    assert not torch.equal(seen[2], torch.ones(4, 1, 17))
    doubted = pipeline.eval().lift(batch.joints2d, batch.camera, torch.zeros(4, 1, 17))
    assert (doubted - on_true).abs().max() > 0


def test_a_lifter_alone_is_told_how_sure_the_data_s_detector_was(batch):
    pipeline = build_pipeline("martinez:width=16,confidence=true").eval()
    seen = []
    pipeline.lifter.register_forward_pre_hook(lambda _, given: seen.append(given[2]))
    sure = torch.rand(4, 1, 17)
    found = replace(batch, image=None, confidence=sure)
    pipeline.predict(found)
    build_strategy("separate").stages(pipeline)[0].losses(pipeline.train(), found, 0.0)
    assert len(seen) == 2 and all(torch.equal(each, sure) for each in seen)


def test_a_lifter_of_whole_windows_learns_from_every_frame_of_them():
    """The loss of one window is the mean over its frames, not of the middle one."""
    pipeline = build_pipeline("mixste:depth=1,frames=3,heads=2,width=8").eval()
    clips = people(4, frames=3)
    pipeline.fit_normalisation(clips)
    joints3d = pipeline.lifter.lift_window(clips.joints2d, clips.camera)
    errors = (joints3d - clips.joints3d).norm(dim=-1).mean((0, 2))
    assert len(errors) == 3 and not errors.allclose(errors[1])
    loss = pipeline.lift_loss(clips.joints2d, clips)
    assert_equal_up_to_rounding(loss, errors.mean(), terms=4 * 3 * 17)
    # A longer clip has no window of its own: each frame that can be predicted counts.
    longer = people(4, frames=4)
    joints3d = pipeline.lift(longer.joints2d, longer.camera)
    errors = (joints3d - longer.joints3d[:, 1:3]).norm(dim=-1)
    loss = pipeline.lift_loss(longer.joints2d, longer)
    assert_equal_up_to_rounding(loss, errors.mean(), terms=4 * 2 * 17)


def test_a_lifter_that_is_told_other_joints_is_not_for_data_or_pictures():
    told = "tcn:frames=3,input=screen,joints2d=coco17,width=4,widths=3"
    pipeline = build_pipeline(told)
    assert pipeline.skeleton2d.name == "coco17"
    with pytest.raises(ValueError, match="is told joints of coco17, and data has 2D joints"):
        dataset_for(pipeline, "synthetic", image_size=32, split="val")
    with pytest.raises(ValueError, match=r"told joints of coco17.*leave out joints2d="):
        build_pipeline(f"resnet18-hm+{told}")


def test_a_pipeline_without_lifter_stops_at_2d(batch):
    result = build_pipeline("resnet18:cut=layer1-hm:block_b=false").eval().predict(batch)
    assert result.joints3d is None


def test_data_without_pictures_is_a_clear_word(pipeline):
    poses = build_dataset("synthetic", image_size=32, pictures=False).__getitems__(range(2))
    with pytest.raises(ValueError, match="starts from pictures, and this data has none"):
        pipeline.predict(poses)


def test_describing_losses_changes_nothing(pipeline, batch):
    stage = build_strategy("multitask").stages(pipeline)[0]
    before = {name: value.clone() for name, value in pipeline.state_dict().items()}
    random = torch.get_rng_state()
    lines = describe_losses(pipeline, stage, batch)
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(before[k], v) for k, v in pipeline.state_dict().items())
    assert len(lines) == 2


def test_the_2d_loss_sends_no_gradient_to_the_lifter(pipeline, batch):
    stage = build_strategy("multitask").stages(pipeline)[0]
    lines = describe_losses(pipeline, stage, batch)
    assert "lifter 0" in lines[1]
    assert "backbone 0," not in lines[0]


def test_ema_follows_slowly_and_forgets_its_start():
    module = torch.nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        module.weight.fill_(0.0)
    ema = Ema(module, 0.9)
    with torch.no_grad():
        module.weight.fill_(1.0)
    ema.update(module)
    assert_equal_up_to_rounding(ema.state["weight"], [[1 - 2 / 11]], terms=3)
    for _ in range(200):
        ema.update(module)
    assert_equal_up_to_rounding(ema.state["weight"], [[1.0]], terms=10)  # 0.9 remembers ten
