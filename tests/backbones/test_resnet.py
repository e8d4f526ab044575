import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from posezoo.assembly import build_pipeline
from posezoo.backbones.resnet import resnet18, resnet34, resnet50, resnet101, resnet152
from posezoo.training.checkpoint import load_backbone

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


def torchvision_like_file(path, drop=()):
    """A whole ResNet-18 with classifier, under torchvision's names."""
    weights = {k: torch.randn_like(v) if v.is_floating_point() else v + 7
               for k, v in resnet18(cut="layer4").state_dict().items()}  # fmt: skip
    weights |= {"fc.weight": torch.randn(1000, 512), "fc.bias": torch.randn(1000)}
    kept = {k: v for k, v in weights.items() if k not in drop}
    save_file(kept, path)
    return kept


def test_a_torchvision_file_loads_by_its_own_names(tmp_path):
    weights = torchvision_like_file(tmp_path / "resnet18.safetensors")
    pipeline = build_pipeline("resnet18-hm")
    note = load_backbone(pipeline, tmp_path / "resnet18.safetensors")
    for name, value in pipeline.backbone.state_dict().items():
        assert torch.equal(value, weights[name]), name
    assert "32 left out" in note  # layer4 (30 tensors) and the classifier (2)


def test_a_file_that_lacks_a_tensor_of_the_backbone_is_refused(tmp_path):
    torchvision_like_file(tmp_path / "cut.safetensors", drop=("layer2.0.conv1.weight",))
    with pytest.raises(ValueError, match=r"1 missing, the first 'layer2.0.conv1.weight'"):
        load_backbone(build_pipeline("resnet18-hm"), tmp_path / "cut.safetensors")


def test_weights_of_another_depth_are_refused_and_nothing_is_copied(tmp_path):
    torchvision_like_file(tmp_path / "resnet18.safetensors")
    pipeline = build_pipeline("resnet50-hm")
    before = pipeline.backbone.conv1.weight.clone()
    with pytest.raises(ValueError, match="weights do not fit"):
        load_backbone(pipeline, tmp_path / "resnet18.safetensors")
    assert torch.equal(pipeline.backbone.conv1.weight, before)


def test_a_pickle_is_not_opened(tmp_path):
    torch.save({"conv1.weight": torch.zeros(1)}, tmp_path / "resnet18.pth")
    with pytest.raises(ValueError, match="pickle"):
        load_backbone(build_pipeline("resnet18-hm"), tmp_path / "resnet18.pth")


def test_a_network_that_is_wrapped_whole_takes_the_same_file(tmp_path):
    """As timm's, whose names stand below `net.model.` of ours."""
    weights = build_pipeline("resnet18-hm").backbone.state_dict()
    save_file(weights, tmp_path / "resnet18.safetensors")
    pipeline = build_pipeline("resnet18-hm")
    inner = pipeline.backbone
    pipeline.backbone = nn.Module()
    pipeline.backbone.net = nn.Module()
    pipeline.backbone.net.model = inner
    note = load_backbone(pipeline, tmp_path / "resnet18.safetensors")
    assert note.endswith("from resnet18.safetensors, 0 left out")
    assert torch.equal(inner.conv1.weight, weights["conv1.weight"])
