import pytest
import torch

from posezoo.backbones.resnet import resnet50, resnet101, resnet152
from posezoo.contracts import FeatureSpec
from posezoo.heads.deconv import DeconvHead
from posezoo.testing import assert_equal_up_to_rounding, rounding

STACKS = (FeatureSpec(channels=8, stride=4),) * 3


def head(**changes):
    last = FeatureSpec(channels=32, stride=32)
    return DeconvHead(**{"features": (last,), "num_joints": 3, **changes})


@pytest.mark.parametrize(
    ("backbone", "joints", "published"),
    [
        (resnet50, 16, 33_999_440),  # of microsoft's pose_resnet_50 for MPII
        (resnet50, 17, 33_999_697),  # 34.0 M in the paper's table, COCO
        (resnet101, 17, 52_991_825),  # 53.0 M
        (resnet152, 17, 68_635_473),  # 68.6 M
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_on_a_whole_resnet_the_weights_are_those_of_simple_baselines(backbone, joints, published):
    with torch.device("meta"):
        net = backbone(cut="layer4")
        model = DeconvHead(features=net.features, num_joints=joints)
    assert sum(p.numel() for part in (net, model) for p in part.parameters()) == published


@pytest.mark.parametrize(("layers", "stride"), [(3, 4), (2, 8), (0, 32)])
def test_each_layer_doubles_the_size(layers, stride):
    model = head(layers=layers, width=16)
    maps = model((torch.randn(2, 32, 6, 8),))  # of 192 x 256 px
    assert model.stride == stride
    assert maps.shape == (2, 3, 192 // stride, 256 // stride)


def test_targets_are_gaussians_of_2_cells_cut_off_at_3_sigma():
    """64 x 48 cells; the joint at px (101.5, 101.5) is cell 25: (25 + 0.5) * 4 - 0.5."""
    target = head().encode(torch.full((1, 3, 2), 101.5), (64, 48))[0, 0]
    assert target[25, 25] == target.max() == 1
    assert target[25, 27].item() == pytest.approx(0.6065, abs=1e-4)  # exp(-1/2) at one sigma
    assert target[31, 25] > 0
    assert target[32, 25] == 0


def test_the_default_decoder_moves_a_quarter_of_a_cell_towards_the_greater_neighbour():
    """Cell (2, 5) is (21.5, 9.5) px at stride 4; a quarter of a cell is 1 px."""
    maps = torch.zeros(1, 3, 4, 8)
    maps[0, :, 2, 5], maps[0, :, 2, 6], maps[0, :, 1, 5] = 0.8, 0.4, 0.3
    joints, confidence = head().decode(maps)
    assert joints[0, 0].tolist() == [22.5, 8.5]
    assert confidence[0, 0].item() == pytest.approx(0.8)


def test_every_branch_is_supervised_and_the_last_one_is_read(batch_of):
    model = DeconvHead(features=STACKS, num_joints=2, layers=0, supervise="all")
    joints = torch.tensor([[[21.5, 9.5], [5.5, 13.5]]])
    perfect = model.encode(joints, (8, 8))
    assert perfect.shape == (1, 3 * 2, 8, 8)
    nothing = rounding(terms=8, magnitude=1.0) ** 2  # a Gaussian is some eight operations
    assert model.loss(perfect, batch_of(joints)) <= nothing
    one_wrong = perfect.clone()
    one_wrong[:, 0:2] = 0  # the first branch sees nothing
    energy = perfect[:, 0:2].square().mean()
    loss = model.loss(one_wrong, batch_of(joints))
    assert_equal_up_to_rounding(loss, energy / 3, terms=3 * 2 * 64)  # branches, joints, cells
    assert torch.equal(model.decode(one_wrong)[0], joints)
    last_wrong = perfect.clone()
    last_wrong[:, 4:6] = 0
    assert not torch.equal(model.decode(last_wrong)[0], joints)
    assert not torch.allclose(model.decode_soft(last_wrong), joints, atol=1)


@pytest.mark.parametrize("loss", ["mse", "integral"])
def test_each_branch_sees_its_own_features_and_learns_from_its_own_maps(batch_of, loss):
    model = DeconvHead(features=STACKS, num_joints=2, layers=0, supervise="all", loss=loss)
    features = tuple(torch.randn(1, 8, 8, 8, requires_grad=True) for _ in STACKS)
    maps = model(features)
    for branch, own in enumerate(features):
        (gradient,) = torch.autograd.grad(maps[:, 2 * branch].sum(), own, retain_graph=True)
        assert gradient.abs().max() > 0
    model.loss(maps, batch_of(torch.full((1, 2, 2), 13.0))).backward()
    assert all(branch[0].weight.grad.abs().max() > 0 for branch in model.branches)
    assert all(own.grad.abs().max() > 0 for own in features)


def test_by_default_only_the_last_feature_map_counts():
    model = DeconvHead(features=STACKS, num_joints=2, layers=0)
    a, b, c = torch.randn(3, 1, 8, 8, 8)
    assert model((a, b, c)).shape == (1, 2, 8, 8)
    assert torch.equal(model((a, b, c)), model((b, a, c)))


def test_feature_maps_of_several_strides_cannot_be_supervised_together():
    pyramid = (FeatureSpec(channels=8, stride=8), FeatureSpec(channels=8, stride=16))
    with pytest.raises(ValueError, match=r"one stride, got \[8, 16\]; take .* supervise=last"):
        DeconvHead(features=pyramid, num_joints=2, supervise="all")


def test_the_head_can_learn_one_batch_by_heart(batch_of):
    torch.manual_seed(0)
    model = head(layers=2, width=32, centres="unbiased", decode="taylor")
    features = (torch.randn(4, 32, 4, 4),)
    batch = batch_of(torch.rand(4, 3, 2) * 100 + 14)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        losses.append(model.loss(model(features), batch))
        losses[-1].backward()
        optimizer.step()
    assert losses[-1] < losses[0] / 10
    found, _ = model.decode(model(features))
    assert (found - batch.joints2d[:, 0]).norm(dim=-1).mean() < 8  # px; one cell


@pytest.mark.parametrize(("layers", "kernel"), [(1, 2), (1, 3), (2, 4)])
def test_kernels_of_2_3_and_4_cells_double_the_size_exactly(layers, kernel):
    model = head(layers=layers, width=8, kernel=kernel)
    assert model((torch.randn(1, 32, 3, 5),)).shape == (1, 3, 3 * 2**layers, 5 * 2**layers)


def test_the_simple_decoder_is_relu_then_bilinear_then_one_convolution():
    """Cells -4 and 2 are 0 and 2 after the ReLU; a quarter of the way from one to the other is 0.5.

    The other way round it would be relu(-2.5), which is 0.
    """
    model = head(layers=0, upsample=2, final_kernel=3)
    final = model.branches[0][-1]
    with torch.no_grad():
        final.weight.zero_()
        final.weight[:, 0, 1, 1] = 1  # the middle tap of the first channel
    rows = torch.tensor([-4.0, 2.0, 2.0]).expand(1, 32, 3, 3)
    assert model.stride == 16
    assert model((rows,))[0, 0, 3].tolist() == [0, 0.5, 1.5, 2, 2, 2]


@pytest.mark.parametrize("final_kernel", [1, 3])
def test_the_loss_of_features_is_the_loss_of_their_maps_and_so_are_its_gradients(
    batch_of, final_kernel
):
    torch.manual_seed(0)
    model = head(layers=1, width=8, final_kernel=final_kernel).double().eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    batch = batch_of(torch.tensor([[[20.0, 50.0], [90.0, 40.0], [-70.0, 40.0]]] * 2))
    features = torch.randn(2, 32, 6, 8, dtype=torch.float64)
    maps = model((features,))
    losses = [model.loss(maps, batch), model.loss_of_features((features,), batch)]
    # Only one of them draws its Gaussians in float64: the joints are float32.
    assert losses[0].item() == pytest.approx(losses[1].item(), rel=1e-6)
    one, other = (torch.autograd.grad(loss, [*model.parameters()]) for loss in losses)
    for a, b in zip(one, other, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize(
    ("grid", "px"), [("centred", 101.5), ("corner", 100.0), ("aligned", 25 * 255 / 63)]
)
def test_cell_25_of_64_lies_where_the_grid_says_in_256_px(grid, px):
    """(25 + 0.5) * 4 - 0.5; 25 * 4; 25 of the 63 steps from px 0 to px 255."""
    model = head(grid=grid, decode="argmax")
    maps = torch.zeros(1, 3, 64, 64)
    maps[..., 25, 25] = 1
    assert model.decode(maps)[0][0, 0].tolist() == pytest.approx([px, px])
    assert model.encode(torch.full((1, 3, 2), px), (64, 64))[0, 0, 25, 25] == 1


@pytest.mark.parametrize("decode", ["argmax", "quarter", "taylor", "dark", "udp", "soft"])
@pytest.mark.parametrize("grid", ["centred", "corner", "aligned"])
def test_maps_of_the_mirrored_picture_are_mirrored_back_before_reading(decode, grid):
    """The mirrored picture of 64 px has joint 1 at 63 - x of joint 0."""
    model = head(layers=2, decode=decode, grid=grid, centres="unbiased", support="full")
    model.codec.__dict__["stride"] = 2.0  # maps of 32 cells
    joints = torch.tensor([[[22.0, 30.5], [41.3, 20.2], [30.9, 40.1]]])
    mirrored = joints[:, [1, 0, 2]] * torch.tensor([-1.0, 1.0]) + torch.tensor([63.0, 0.0])
    found, confidence = model.decode_flipped(
        model.encode(joints, (32, 32)), model.encode(mirrored, (32, 32)), (1, 0, 2)
    )
    # Half a cell where reading is by the nearest cell, and where mirroring moves half a cell.
    limit = 1.5 if decode in ("argmax", "quarter") or grid == "corner" else 0.3
    assert (found - joints).abs().max() < limit
    assert confidence.min() > 0.7
    same, _ = model.decode_flipped(
        model.encode(joints, (32, 32)), model.encode(mirrored, (32, 32)), (0, 1, 2)
    )
    assert (same - joints).abs().max() > 2  # left and right not exchanged
