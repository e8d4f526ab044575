import pytest
import torch

from posezoo.contracts import FeatureSpec
from posezoo.heads.integral import IntegralHead

SOURCE = (FeatureSpec(channels=6, stride=16),)


def head(**changes):
    return IntegralHead(**{"features": SOURCE, "num_joints": 2, "layers": 1, "width": 8, **changes})


def test_two_equal_cells_are_read_half_way_between():
    """Cells (1, 2) and (3, 2) of stride 8: cell (2, 2) is px 2.5 * 8 - 0.5 = 19.5."""
    maps = torch.full((1, 2, 4, 8), -50.0)
    maps[..., 2, 1] = maps[..., 2, 3] = 50
    joints, confidence = head().decode(maps)
    assert joints[0, 0].tolist() == pytest.approx([19.5, 19.5])
    # A variance of 1 cell^2 along x, where a Gaussian of 2 cells has 4 + 4.
    assert confidence[0, 0] == 1
    assert head(sigma_cells=0.5).decode(maps)[1][0, 0].item() == pytest.approx(0.5, abs=1e-3)


def test_the_loss_is_the_error_in_cells_averaged_over_x_and_y(batch_of):
    """Read at (19.5, 19.5); the joints are 8 px to the right, and 16 px below: 1 and 2 cells."""
    maps = torch.full((1, 2, 4, 8), -50.0)
    maps[..., 2, 2] = 50
    batch = batch_of(torch.tensor([[[27.5, 19.5], [19.5, 3.5]]]))
    assert head().loss(maps, batch).item() == pytest.approx((1 / 2 + 2 / 2) / 2, abs=1e-5)


def test_the_loss_of_features_is_that_of_their_maps_with_the_same_gradients(batch_of):
    torch.manual_seed(0)
    model = head().double().eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    batch = batch_of(torch.tensor([[[27.5, 19.5], [-90.0, 3.5]], [[7.5, 50.5], [20.0, 30.0]]]))
    features = (torch.randn(2, 6, 4, 4, dtype=torch.float64),)
    losses = [model.loss(model(features), batch), model.loss_of_features(features, batch)]
    assert losses[0].item() == pytest.approx(losses[1].item(), rel=1e-9)
    one, other = (torch.autograd.grad(loss, [*model.parameters()]) for loss in losses)
    for a, b in zip(one, other, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-7, atol=1e-10)


def test_the_paper_s_grid_has_no_half_cell():
    maps = torch.full((1, 2, 4, 8), -50.0)
    maps[..., 2, 3] = 50
    assert head(grid="corner").decode(maps)[0][0, 0].tolist() == pytest.approx([24, 16])
