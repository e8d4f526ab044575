from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from posezoo.lifters.tcn import Tcn
from posezoo.skeleton import H36M17, get_skeleton
from posezoo.testing.examples import people

ALL = [(frames, causal) for frames in (1, 3, 9, 27) for causal in (False, True)]


def lifter(**changes):
    torch.manual_seed(0)
    model = Tcn(skeleton=H36M17, **{"width": 16, "dropout": 0.0, **changes})
    model.fit_normalisation(people(64, frames=model.frames))
    return model


def lift(model, batch):
    return model(*given(model, batch))


def given(model, batch):
    """Joints and camera in the type of the model: float64 where two ways are compared."""
    dtype = model.out.weight.dtype
    return batch.joints2d.to(dtype), batch.camera.to(dtype)


@pytest.mark.parametrize(
    ("frames", "published"),
    [(1, 4_291_635), (27, 8_555_571), (81, 12_753_971), (243, 16_952_371)],
)
def test_it_has_the_published_number_of_parameters(frames, published):
    with torch.device("meta"):
        model = Tcn(skeleton=H36M17, frames=frames)
    assert sum(p.numel() for p in model.parameters()) == published


@pytest.mark.parametrize(("frames", "causal"), ALL)
def test_a_clip_of_just_enough_frames_gives_what_a_longer_one_gives_there(frames, causal):
    model = lifter(frames=frames, causal=causal).double().eval()
    batch = people(3, frames=frames + 4)
    dense = lift(model, batch)
    assert dense.shape == (3, 5, 17, 3)
    for t in range(5):
        single = lift(model, batch.frames(t, t + frames))
        torch.testing.assert_close(single, dense[:, t : t + 1])


@pytest.mark.parametrize(("clip", "lengths"), [(27, [9, 3, 1]), (28, [26, 20, 2])])
def test_a_clip_of_just_enough_frames_costs_no_more_than_its_prediction_needs(clip, lengths):
    model, computed = lifter(frames=27), []
    for layer in (model.stem, *(block.over_time for block in model.blocks)):
        layer.register_forward_hook(lambda _, __, output: computed.append(output.shape[1]))
    lift(model, people(2, frames=clip))
    assert computed == lengths


@pytest.mark.parametrize(("frames", "causal"), ALL)
@pytest.mark.parametrize("spare", [0, 4])
def test_a_prediction_sees_every_frame_around_it_and_no_other(frames, causal, spare):
    model = lifter(frames=frames, causal=causal).eval()
    batch = people(2, frames=frames + spare)
    joints2d = batch.joints2d.requires_grad_()
    chosen = spare // 2
    model(joints2d, batch.camera)[:, chosen].sum().backward()
    seen = joints2d.grad.abs().sum((0, 2, 3)).nonzero()[:, 0].tolist()
    predicted = chosen + frames - 1 - model.future
    before, after = (frames - 1, 0) if causal else (frames // 2, frames // 2)
    assert seen == [*range(predicted - before, predicted + after + 1)]


@pytest.mark.parametrize(("causal", "near"), [(False, [12, 13, 14]), (True, [24, 25, 26])])
@pytest.mark.parametrize("spare", [0, 2])
def test_the_shortcuts_carry_the_predicted_frame(causal, near, spare):
    """With the blocks silenced only the first convolution's three frames are left."""
    model = lifter(frames=27, causal=causal).eval()
    for block in model.blocks:
        torch.nn.init.zeros_(block.over_channels.norm.weight)
    batch = people(2, frames=27 + spare)
    joints2d = batch.joints2d.requires_grad_()
    model(joints2d, batch.camera)[:, 0].sum().backward()
    assert joints2d.grad.abs().sum((0, 2, 3)).nonzero()[:, 0].tolist() == near


@pytest.mark.parametrize("causal", [False, True])
def test_it_is_a_dilated_convolution_as_torch_computes_one(causal):
    """The paper's figure, written out with conv1d and this lifter's weights."""
    model = lifter(frames=27, causal=causal).double().eval()
    batch = people(2, frames=31)
    inputs, to_camera = model.normalisation.inputs(*given(model, batch))

    def layer(x, own, kernel, dilation):
        weight = own.linear.weight.unflatten(1, (kernel, -1)).transpose(1, 2)
        return functional.relu(own.norm(functional.conv1d(x, weight, dilation=dilation)))

    x = layer(inputs.transpose(1, 2), model.stem, 3, 1)
    for block, dilation in zip(model.blocks, (3, 9), strict=True):
        cut = (2 * dilation, 0) if causal else (dilation, dilation)
        shortcut = x[..., cut[0] : x.shape[-1] - cut[1]]
        y = layer(layer(x, block.over_time, 3, dilation), block.over_channels, 1, 1)
        x = shortcut + y
    past = 26 if causal else 13
    expected = model.normalisation.joints3d(
        model.out(x.transpose(1, 2)), to_camera[:, past : past + 5]
    )
    torch.testing.assert_close(lift(model, batch), expected)


@pytest.mark.parametrize("causal", [False, True])
def test_each_frame_is_turned_back_by_its_own_rotation(causal):
    """The mean pose of someone who walks past stays upright on the axis of each frame's root."""
    model = lifter(frames=3, causal=causal, input="rays", zero_init=True).double().eval()
    batch = people(1, frames=7)
    walk = torch.arange(7)[:, None] * torch.tensor([400.0, 0.0, 0.0])
    absolute = batch.joints3d + (batch.root_mm + walk)[:, :, None]
    joints2d = batch.camera.project(absolute.flatten(1, 2)).view(1, 7, 17, 2)
    seen = given(model, replace(batch, joints2d=joints2d))
    _, turn = model.normalisation.inputs(*seen)
    predicted = model(*seen)
    own = turn[:, 2:7] if causal else turn[:, 1:6]
    mean = model.normalisation.output_mean.view(17, 3)
    torch.testing.assert_close(predicted, mean.expand(1, 5, 17, 3) @ own)


def test_a_clip_that_is_too_short_is_refused():
    with pytest.raises(ValueError, match=r"sees 9 frames, and this clip has 5; repeat its ends"):
        lift(lifter(frames=9), people(2, frames=5))


@pytest.mark.parametrize("frames", [3, 9])
def test_it_can_learn_one_batch_by_heart(frames):
    model = lifter(frames=frames, width=128, zero_init=True)
    batch = people(32, frames=frames)
    target = batch.frames(frames // 2, frames // 2 + 1)
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    for _ in range(200):
        optimizer.zero_grad()
        loss = model.loss(lift(model, batch), target)
        loss.backward()
        optimizer.step()
    assert loss.item() < 20  # mm


def test_widths_of_any_odd_size_multiply_to_the_frames_that_are_seen():
    model = lifter(frames=45, widths=(3, 5, 3)).double().eval()
    assert [block.dilation for block in model.blocks] == [3, 15]
    batch = people(2, frames=46)
    dense = lift(model, batch)
    single = lift(model, batch.frames(1, 46))
    torch.testing.assert_close(single, dense[:, 1:])


@pytest.mark.parametrize(
    ("frames", "widths"), [(28, None), (27, (3, 3)), (6, (2, 3)), (0, None), (729, (27, 26))]
)
def test_frames_that_no_widths_make_are_refused(frames, widths):
    with pytest.raises(ValueError, match="expected odd widths whose product is frames"):
        lifter(frames=frames, widths=widths)


def test_it_may_be_told_other_joints_than_it_predicts():
    skeleton = get_skeleton("humaneva15")
    model = Tcn(skeleton=skeleton, frames=3, width=8, joints2d="coco17", input="screen").eval()
    assert lift(model, people(2, frames=4)).shape == (2, 2, 15, 3)
    with pytest.raises(ValueError, match="joints2d=coco17 with input=px: expected input=screen"):
        Tcn(skeleton=skeleton, joints2d="coco17")
