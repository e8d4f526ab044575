import pytest
import torch

from posezoo.backbones.resnet import resnet18, resnet34, resnet50, resnet101, resnet152

# Of torchvision's models without their classifiers: 25,557,032 - 2,049,000 for ResNet-50.
WHOLE = {
    resnet18: 11_176_512,
    resnet34: 21_284_672,
    resnet50: 23_508_032,
    resnet101: 42_500_160,
    resnet152: 58_143_808,
}


@pytest.mark.parametrize("build", WHOLE, ids=lambda b: b.__name__)
def test_parameter_counts_are_torchvision_s(build):
    with torch.device("meta"):
        model = build(cut="layer4")
    assert sum(p.numel() for p in model.parameters()) == WHOLE[build]


@pytest.mark.parametrize(
    ("cut", "layer3_stride", "channels", "stride"),
    [("layer1", 2, 64, 4), ("layer2", 2, 128, 8), ("layer3", 2, 256, 16), ("layer3", 1, 256, 8)],
)
def test_the_cut_and_the_stride_of_block_4_decide_channels_and_stride(
    cut, layer3_stride, channels, stride
):
    model = resnet18(cut=cut, layer3_stride=layer3_stride).eval()
    (spec,) = model.features
    assert (spec.channels, spec.stride) == (channels, stride)
    (features,) = model(torch.rand(1, 3, 96, 64))
    assert features.shape == (1, channels, 96 // stride, 64 // stride)


def test_the_default_cut_is_block_a_of_the_report():
    with torch.device("meta"):
        model = resnet50()
        (features,) = model(torch.empty(1, 3, 256, 256))
    assert features.shape == (1, 1024, 16, 16)
    assert len(model.layer3) == 6  # units 4a to 4f


def test_a_grey_picture_of_imagenet_s_mean_enters_as_zeros():
    model = resnet18().eval()
    image = model.mean[:, None, None].expand(1, 3, 32, 32)
    seen = []
    model.conv1.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    model(image)
    assert seen[0].abs().max() == 0
