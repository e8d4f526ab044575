import pytest
import torch

from posezoo.camera import Camera


def draw(s, widths, *, told=17, predicted=17, width=4):
    s.draw("expand_conv.weight", width, 2 * told, widths[0], spread=0.2)
    s.draw_batch_norm("expand_bn", width)
    for i, size in enumerate(widths[1:]):
        s.draw(f"layers_conv.{2 * i}.weight", width, width, size)
        s.draw(f"layers_conv.{2 * i + 1}.weight", width, width, 1)
        s.draw_batch_norm(f"layers_bn.{2 * i}", width)
        s.draw_batch_norm(f"layers_bn.{2 * i + 1}", width)
    s.draw("shrink.weight", 3 * predicted, width, 1)
    s.draw("shrink.bias", 3 * predicted)


def by_hand(s, x, widths, *, causal):  # (T, J, 2) to (T - frames + 1, J, 3)
    def layer(convolution, norm, x, dilation):
        weight = s.get64(f"{convolution}.weight")
        size = weight.shape[2]
        y = torch.stack(
            [
                sum(weight[:, :, k] @ x[t + k * dilation] for k in range(size))
                for t in range(len(x) - (size - 1) * dilation)
            ]
        )
        return s.batch_norm(norm, y).clamp_min(0)

    x = layer("expand_conv", "expand_bn", x.flatten(1), 1)
    dilation = widths[0]
    for i, size in enumerate(widths[1:]):
        lost = (size - 1) * dilation
        cut = lost if causal else lost // 2
        y = layer(f"layers_conv.{2 * i}", f"layers_bn.{2 * i}", x, dilation)
        y = layer(f"layers_conv.{2 * i + 1}", f"layers_bn.{2 * i + 1}", y, 1)
        x = x[cut : cut + len(y)] + y
        dilation *= size
    y = x @ s.get64("shrink.weight")[..., 0].T + s.get64("shrink.bias")
    return y.unflatten(1, (-1, 3))


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("widths", [(3, 3, 3), (5, 1, 3), (3,)], ids=str)
@pytest.mark.parametrize("spare", [0, 2])  # 0: the strided form of a single prediction
def test_the_imported_network_computes_what_the_original_s_formulas_say(
    original, check_import, widths, causal, spare
):
    draw(original, widths)
    frames = torch.tensor(widths).prod().item()
    x = torch.randn(2, frames + spare, 17, 2, dtype=torch.float64)
    expected = torch.stack([by_hand(original, each, widths, causal=causal) for each in x])
    said = "x".join(map(str, widths))
    spec = f"tcn:{'causal=true,' * causal}frames={frames},input=screen,width=4,widths={said}"
    found = check_import(original, x, expected, spec=spec, config={"causal": causal})
    assert found.pipeline.skeleton.name == "h36m17"


def test_coco_s_joints_in_and_humaneva_s_out(original, check_import):
    draw(original, (3, 3), predicted=15)
    x = torch.randn(2, 9, 17, 2, dtype=torch.float64)
    expected = torch.stack([by_hand(original, each, (3, 3), causal=False) for each in x])
    spec = "tcn:frames=9,input=screen,joints2d=coco17,width=4,widths=3x3"
    pipeline = check_import(original, x, expected, spec=spec).pipeline
    assert (pipeline.skeleton2d.name, pipeline.skeleton.name) == ("coco17", "humaneva15")


def test_metres_of_the_network_are_millimetres_of_the_lifter(original, check_import):
    """A network that says k metres of its k-th number, through a camera of 1145 px."""
    draw(original, (3,))
    original["shrink.weight"].zero_()
    original["shrink.bias"] = torch.arange(51.0)
    x = torch.zeros(1, 3, 17, 2, dtype=torch.float64)
    expected = torch.arange(51.0).view(1, 1, 17, 3).double()
    spec = "tcn:frames=3,input=screen,width=4,widths=3"
    pipeline = check_import(original, x, expected, spec=spec).pipeline.float()
    camera = Camera.make(focal_px=(1145, 1145), centre_px=(500, 500)).to(torch.float32)
    joints3d = pipeline.lift(torch.full((1, 3, 17, 2), 500.0), Camera(camera.parameters[None]))
    assert joints3d[0, 0, :3].tolist() == [[0, 0, 0], [3000, 3000, 3000], [6000, 6000, 6000]]


@pytest.mark.parametrize(
    ("told", "predicted", "message"),
    [
        (17, 1, "it predicts 1 joints.*trajectory"),
        (16, 17, "it is told 32 numbers a frame and predicts 51"),
    ],
)
def test_nets_that_are_no_lifters_are_refused(original, check_import, told, predicted, message):
    draw(original, (3,), told=told, predicted=predicted)
    with pytest.raises(ValueError, match=message):
        check_import(original, torch.zeros(1), torch.zeros(1), spec="", config={"joints2d": ""})
