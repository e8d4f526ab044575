import pytest
import torch

from posezoo.assembly import build_pipeline, build_strategy
from posezoo.camera import Camera
from posezoo.contracts import Batch


def batch(count=4, px=32):
    generator = torch.Generator().manual_seed(0)
    joints3d = torch.randn(count, 1, 17, 3, generator=generator) * 200
    camera = Camera.make(focal_px=(40, 40), centre_px=(16, 16)).to(torch.float32)
    return Batch(
        image=(torch.rand(count, 3, px, px, generator=generator) * 255).to(torch.uint8),
        joints2d=torch.rand(count, 1, 17, 2, generator=generator) * (px - 4) + 2,
        joints3d=joints3d - joints3d[:, :, :1],
        root_mm=torch.tensor([0.0, 0.0, 5000.0]).expand(count, 1, 3),
        visible=torch.ones(count, 1, 17, dtype=torch.bool),
        camera=Camera(camera.parameters.expand(count, -1)),
        subject=("P",) * count,
        action=("stand",) * count,
    )


def trained(spec, decode):
    torch.manual_seed(0)
    return build_pipeline(spec), build_strategy(f"multitask:decode={decode}")


def gradient_of_3d_at_backbone(decode):
    reading = "soft" if decode.startswith("soft") else "argmax"
    pipeline, strategy = trained(f"resnet18-hm:decode={reading}+martinez:width=32", decode)
    (stage,) = strategy.stages(pipeline)
    stage.losses(pipeline, batch())["3d"].backward()
    gradient = pipeline.backbone.conv1.weight.grad
    return 0.0 if gradient is None else gradient.abs().max().item()


@pytest.mark.parametrize(
    ("decode", "reaches"),
    [("hard", False), ("soft", True), ("soft_detach", False), ("straight_through", True)],
)
def test_the_decode_mode_decides_whether_the_3d_loss_reaches_the_backbone(decode, reaches):
    assert (gradient_of_3d_at_backbone(decode) > 0) == reaches


def test_straight_through_gives_the_lifter_exactly_the_hard_joints():
    pipeline, strategy = trained("resnet18-hm+martinez:width=32", "straight_through")
    pipeline.eval()
    maps = pipeline.heatmaps(batch().image)
    hard, _ = pipeline.head.decode(maps)
    torch.testing.assert_close(strategy._joints(pipeline, maps), hard, atol=1e-4, rtol=0)


def test_lambda_weighs_the_2d_term_alone():
    pipeline, _ = trained("resnet18-hm:decode=soft+martinez:width=32", "soft")
    pipeline.eval()
    terms = [
        build_strategy(f"multitask:lambda_2d={weight}").losses(pipeline, batch())
        for weight in (0.01, 0.1)
    ]
    assert terms[1]["2d"].item() == pytest.approx(10 * terms[0]["2d"].item(), rel=1e-5)
    assert terms[1]["3d"].item() == pytest.approx(terms[0]["3d"].item(), rel=1e-6)


def test_a_soft_middle_with_a_hard_reading_at_test_time_is_refused():
    pipeline, strategy = trained("resnet18-hm:decode=taylor+martinez:width=32", "soft")
    with pytest.raises(ValueError, match="taylor"):
        strategy.stages(pipeline)


def test_a_bare_lifter_has_nothing_to_be_multitask_about():
    with pytest.raises(ValueError, match="no backbone and no head"):
        build_strategy("multitask").stages(build_pipeline("martinez:width=32"))
