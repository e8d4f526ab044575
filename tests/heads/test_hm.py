import pytest
import torch
from torch import nn

from posezoo.contracts import FeatureSpec
from posezoo.heads.hm import HeatmapHead
from posezoo.testing import assert_equal_up_to_rounding, rounding

STRIDE_16 = (FeatureSpec(channels=32, stride=16),)


def head(**changes):
    return HeatmapHead(**{"features": STRIDE_16, "num_joints": 3, **changes})


def grid_of_joints(low, high, step=0.7):
    line = torch.arange(low, high, step)
    joints = torch.cartesian_prod(line, line)
    return joints[: len(joints) // 3 * 3].view(-1, 3, 2)


@pytest.mark.parametrize("kernel", [3, 4, 6])
@pytest.mark.parametrize(
    ("strides", "stride"), [((4,), 4), ((4, 2), 2), ((2, 2), 4), ((2, 2, 2), 2)]
)
def test_every_layout_of_block_d_gives_the_size_that_its_strides_say(kernel, strides, stride):
    model = head(kernel=kernel, strides=strides)
    maps = model((torch.randn(2, 32, 4, 3),))
    assert model.stride == stride
    assert maps.shape == (2, 3, 4 * 16 // stride, 3 * 16 // stride)


@pytest.mark.parametrize(("batch_norm", "count"), [("none", 0), ("block", 4), ("layer", 8)])
def test_batch_norm_stands_after_each_layer_each_block_or_nowhere(batch_norm, count):
    """Blocks B (3 layers with its sum), C (3), D (1) and the hidden layer of E (1)."""
    norms = [m for m in head(batch_norm=batch_norm).modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) == count


def test_a_kernel_that_cannot_give_the_exact_size_is_refused():
    assert head(kernel=3, strides=(1,)).stride == 16
    with pytest.raises(ValueError, match="kernel=4 cannot give exactly 1 times the size"):
        head(kernel=4, strides=(1,))


def test_block_b_can_be_left_out():
    with_b, without = head(), head(block_b=False)
    assert isinstance(without.block_b, nn.Identity)
    fewer = sum(p.numel() for p in with_b.parameters()) - sum(
        p.numel() for p in without.parameters()
    )
    assert fewer == (32 * 16 + 16) + (16 * 16 * 9 + 16) + (16 * 32 + 32) + (32 * 32 + 32)


def test_the_report_s_covariance_is_5_cells_at_64_and_keeps_its_ratio_at_128():
    assert head().codec.sigma(64) ** 2 == pytest.approx(5)
    assert head().codec.sigma(128) ** 2 == pytest.approx(10)
    assert head(sigma_ratio=64.0).codec.sigma(64) == pytest.approx(1)


def test_sigma_may_be_given_in_cells_or_in_px_but_not_in_both():
    assert head(sigma_cells=2.0).codec.sigma(64) == 2
    assert head(sigma_px=8.0).codec.sigma(64) == 2  # stride 4
    with pytest.raises(ValueError, match="one of them"):
        head(sigma_cells=2.0, sigma_px=8.0)


def test_targets_peak_at_255_in_the_joint_s_cell():
    target = head().encode(torch.tensor([[[41.5, 21.5], [1.5, 1.5], [60.0, 60.0]]]), (16, 16))
    assert target[0, 0].max() == 255
    assert target[0, 0, 5, 10] == 255  # row 5, column 10: (10 + 0.5) * 4 - 0.5 = 41.5
    assert (target[0, 0] > 0).all()  # full support


@pytest.mark.parametrize(
    ("decode", "centres", "largest"),
    [
        ("argmax", "quantised", 0.5),
        ("argmax", "unbiased", 0.5),
        ("quarter", "unbiased", 0.26),
        ("taylor", "unbiased", 0.02),
        ("soft", "unbiased", 0.05),
    ],
)
def test_decoding_a_perfect_map_has_no_bias_and_the_decoder_s_own_error(decode, centres, largest):
    """In cells. A lost half cell would show as a bias of 0.5, index times stride as -0.375."""
    model = head(decode=decode, centres=centres)
    joints = grid_of_joints(40.0, 216.0)  # of 256 px: away from the border
    found, confidence = model.decode(model.encode(joints, (64, 64)))
    error = (found - joints) / model.stride
    assert error.mean((0, 1)).abs().max() < 0.05
    assert error.abs().max() <= largest + rounding(terms=16, magnitude=64.0)
    assert confidence.min() > 0.9


def test_argmax_on_a_map_by_hand():
    """One hot cell at row 2, column 5 of stride 4: ((5.5) * 4 - 0.5, 2.5 * 4 - 0.5) px."""
    maps = torch.zeros(1, 3, 4, 8)
    maps[0, :, 2, 5] = 51.0
    joints, confidence = head().decode(maps)
    assert joints[0, 0].tolist() == [21.5, 9.5]
    assert_equal_up_to_rounding(confidence[0, 0], 0.2, terms=2)


def test_the_soft_decoder_lets_a_gradient_reach_the_maps_and_argmax_does_not():
    model = head()
    maps = model.encode(torch.tensor([[[20.0, 30.0]] * 3]), (16, 16)).requires_grad_()
    model.decode_soft(maps).sum().backward()
    assert maps.grad.abs().max() > 0
    assert not model.decode(maps)[0].requires_grad


@pytest.mark.parametrize("loss", ["mse", "integral"])
def test_the_loss_is_0_for_perfect_maps_and_ignores_joints_off_the_map(batch_of, loss):
    model = head(loss=loss, centres="unbiased")
    joints = torch.tensor([[[100.0, 90.0], [150.0, 160.0], [-30.0, 90.0]]])
    maps = model.encode(joints, (64, 64))
    batch = batch_of(joints)
    assert model.loss(maps, batch).item() < 0.05
    disturbed = maps.clone()
    disturbed[:, 2] += torch.randn(64, 64)
    assert torch.equal(model.loss(disturbed, batch), model.loss(maps, batch))


@pytest.mark.parametrize("loss", ["mse", "integral"])
def test_joints_without_a_label_send_no_gradient(batch_of, loss):
    model = head(loss=loss)
    maps = torch.randn(2, 3, 16, 16, requires_grad=True)
    labelled = torch.tensor([[True, False, True], [True, True, False]])
    model.loss(maps, batch_of(torch.full((2, 3, 2), 30.0), labelled2d=labelled)).backward()
    assert torch.equal(maps.grad.flatten(2).abs().amax(-1) > 0, labelled)


def test_the_loss_of_predicting_nothing_is_the_energy_of_the_gaussian(batch_of):
    """255^2 * pi * 5 / 4096 = 249.4 per cell, the number that lambda = 0.01 was chosen for."""
    model = head()
    joints = torch.full((1, 3, 2), 128.0)
    assert model.loss(torch.zeros(1, 3, 64, 64), batch_of(joints)).item() == pytest.approx(
        249.4, rel=0.02
    )


@pytest.mark.parametrize("loss", ["mse", "integral"])
def test_the_head_can_learn_one_picture_by_heart(batch_of, loss):
    torch.manual_seed(0)
    # The peak scales the logits of the soft decoder: small maps saturate it from the start.
    model = head(loss=loss, peak=20.0, batch_norm="layer", decode="soft", centres="unbiased")
    features = (torch.randn(4, 32, 4, 4),)
    joints = torch.rand(4, 3, 2) * 50 + 6
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    for _ in range(120):
        optimizer.zero_grad()
        model.loss(model(features), batch_of(joints)).backward()
        optimizer.step()
    assert (model.decode(model(features))[0] - joints).norm(dim=-1).mean() < 4  # px; one cell
