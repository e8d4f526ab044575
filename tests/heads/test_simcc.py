import pytest
import torch

from posezoo.backbones.resnet import resnet50
from posezoo.contracts import FeatureSpec
from posezoo.heads.simcc import SimccHead


def head(**changes):
    given = {
        "features": (FeatureSpec(channels=6, stride=16),),
        "num_joints": 2,
        "image_size": (32, 48),
        "layers": 1,
        "width": 8,
    }
    return SimccHead(**{**given, **changes})


def test_on_a_whole_resnet_the_weights_are_mmpose_s():
    """36.75 M for pictures of 256 x 192 px."""
    with torch.device("meta"):
        net = resnet50(cut="layer4")
        model = SimccHead(features=net.features, num_joints=17, image_size=(256, 192))
    assert sum(p.numel() for part in (net, model) for p in part.parameters()) == 36_753_105


def test_bins_of_x_come_first_and_are_half_a_pixel_wide():
    """96 of x and 64 of y; bin 41 has its centre at 41.5 / 2 - 0.5 px."""
    maps = torch.zeros(1, 2, 96 + 64)
    maps[..., 41] = maps[..., 96 + 10] = 30
    joints, _ = head().decode(maps)
    assert joints[0, 0].tolist() == [20.25, 4.75]
    assert head(grid="corner").decode(maps)[0][0, 0].tolist() == [20.5, 5]


def test_confidence_is_the_smaller_likelihood_over_that_of_a_perfect_answer():
    model = head(sigma_bins=2.0)
    perfect = model.encode(torch.tensor([[[20.25, 15.75], [10.0, 12.0]]]), (64, 96))
    assert model.decode(perfect)[1].min() > 0.95
    unsure = perfect.clone()
    unsure[..., 96:] = 0  # y may be anywhere: 1/64 for every bin, of 1 / (2 sqrt(2 pi)) = 0.2
    assert model.decode(unsure)[1][0, 0].item() == pytest.approx(1 / 64 / 0.19947, rel=1e-3)


def test_the_loss_is_0_for_the_targets_and_their_divergence_from_flat_logits(batch_of):
    """A Gaussian of 2 bins in 96: log 96 - log(2 sqrt(2 pi e)) nats; in 64 likewise."""
    model = head(sigma_bins=2.0)
    batch = batch_of(torch.tensor([[[20.25, 15.75], [24.0, 16.0]]]))
    perfect = model.encode(batch.joints2d[:, 0], (64, 96))
    assert model.loss(perfect, batch).item() == pytest.approx(0, abs=1e-6)
    entropy = 0.5 * torch.log(torch.tensor(2 * torch.pi * torch.e * 4))
    expected = (torch.tensor([96.0, 64.0]).log() - entropy).sum().item()
    assert model.loss(torch.zeros_like(perfect), batch).item() == pytest.approx(expected, rel=1e-3)


def test_pictures_of_another_size_are_refused_with_the_size_that_fits():
    with pytest.raises(ValueError, match=r"made for pictures of 32 x 48 px.*image_size=HxW"):
        head()((torch.zeros(1, 6, 4, 4),))
    assert head()((torch.zeros(1, 6, 2, 3),)).shape == (1, 2, 96 + 64)
