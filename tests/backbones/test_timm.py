"""The timm source. Where timm is not installed, only what is then said is tested."""

import importlib.util
import subprocess
import sys

import pytest
import torch
from safetensors.torch import save_file

from posezoo import registry
from posezoo.assembly import build_pipeline
from posezoo.registry import PluginError, SpecError

needs_timm = pytest.mark.skipif(not importlib.util.find_spec("timm"), reason="timm is not here")


def backbone(spec, **given):
    return registry.resolve("backbone", spec).build(**given)


def test_listing_the_zoo_imports_neither_timm_nor_torch():
    code = (
        "import sys; from posezoo import registry; registry.entries();"
        "print(*{'timm', 'torch', 'torchvision'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_without_timm_one_is_told_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    for name in ("posezoo.backbones.timm_models", "posezoo.backbones._timm_import"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(PluginError, match=r"'timm/resnet18' needs 'timm': pip install .*timm"):
        build_pipeline("timm/resnet18-hm")


@needs_timm
@pytest.mark.parametrize(
    ("spec", "channels", "stride"),
    [
        ("timm/resnet18", 256, 16),
        ("timm/resnet18:stride=4", 64, 4),
        ("timm/resnet50:stride=32", 2048, 32),
        ("timm/convnext_atto", 160, 16),
        ("timm/mobilenetv3_small_100", 48, 16),
        ("timm/mambaout_femto", 192, 16),  # channels last inside
        ("timm/vit_tiny_patch16_224:image_size=64", 192, 16),
    ],
)
def test_channels_and_stride_are_those_of_the_map_and_no_weight_lies_idle(spec, channels, stride):
    model = backbone(spec)
    (feature,) = model.features
    assert (feature.channels, feature.stride) == (channels, stride)
    (features,) = model(torch.rand(2, 3, 64, 64))
    assert features.shape == (2, channels, 64 // stride, 64 // stride)
    features.square().sum().backward()
    assert all(p.grad is not None for p in model.parameters())


@needs_timm
def test_of_several_maps_of_one_stride_the_deepest_is_taken():
    """All 12 blocks of a vision transformer have stride 16."""
    assert len(backbone("timm/vit_tiny_patch16_224").net.model.blocks) == 12


@needs_timm
def test_a_resnet_of_timm_is_the_zoo_s_own_with_the_same_weights():
    torch.manual_seed(0)
    theirs, ours = (backbone(key).double().eval() for key in ("timm/resnet18", "resnet18"))
    weights = {k.removeprefix("net.model."): v for k, v in theirs.state_dict().items()}
    ours.load_state_dict(weights, strict=True)
    image = torch.rand(2, 3, 96, 64, dtype=torch.float64)
    torch.testing.assert_close(theirs(image)[0], ours(image)[0])


@needs_timm
def test_a_picture_of_the_mean_colour_enters_as_zeros():
    """A vision transformer's mean is 0.5, not ImageNet's."""
    model = backbone("timm/vit_tiny_patch16_224:image_size=32").eval()
    assert model.mean.tolist() == model.std.tolist() == [0.5, 0.5, 0.5]
    seen = []
    model.net.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    model(torch.full((1, 3, 32, 32), 0.5))
    assert not seen[0].any()


@needs_timm
def test_a_tag_decides_the_colours_even_without_its_weights():
    first = backbone("timm/mobilenetv4_conv_small.e1200_r224_in1k")
    second = backbone("timm/mobilenetv4_conv_small.e3600_r256_in1k")
    assert first.mean.tolist() == pytest.approx([0.485, 0.456, 0.406])
    assert second.mean.tolist() == [0.5, 0.5, 0.5]


@needs_timm
def test_pretrained_weights_reach_the_network(monkeypatch, tmp_path):
    """A file in the place of the download, under timm's own names, classifier included."""
    import timm

    file = tmp_path / "resnet18.safetensors"
    save_file(timm.create_model("resnet18").state_dict(), file)
    create = timm.create_model
    monkeypatch.setattr(
        timm, "create_model",
        lambda name, **options: create(name, **options, pretrained_cfg_overlay={"file": file}),
    )  # fmt: skip
    first = [backbone("timm/resnet18:pretrained=true").net.model.conv1.weight for _ in range(2)]
    random = backbone("timm/resnet18").net.model.conv1.weight
    assert torch.equal(*first)
    assert not torch.equal(first[0], random)


@needs_timm
def test_weights_that_cannot_be_fetched_are_said_to_be_missing(monkeypatch, tmp_path):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ValueError, match=r"timm/resnet18: its weights are not .* leave out pretra"):
        backbone("timm/resnet18:pretrained=true")


@needs_timm
@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("timm/resnt18", r"unknown backbone 'timm/resnt18'\. Did you mean 'timm/resnet18'"),
        ("timm", r"unknown backbone 'timm'\. Write timm/NAME"),
        ("timm/resnet18:width=2", r"'timm/resnet18': unknown parameter 'width'"),
        ("timm/resnet18:stride=12", r"feature maps are of stride 2, 4, 8, 16, 32"),
        ("timm/resnet18.best", r"timm/resnet18\.best: it has weights a1_in1k, "),
        ("timm/resnet18:image_size=256", r"any size; leave out image_size"),
        ("timm/botnet50ts_256:pretrained=true", r"it has no weights; leave out pretrained"),
    ],
)
def test_a_mistake_is_answered_with_what_would_work(spec, message):
    with pytest.raises(ValueError, match=message):
        backbone(spec)


@needs_timm
def test_a_model_made_for_one_size_refuses_another():
    model = backbone("timm/vit_tiny_patch16_224")
    with pytest.raises(ValueError, match=r"of 224 x 224 px, got 256 x 256: .* image_size=256"):
        model(torch.rand(1, 3, 256, 256))


@needs_timm
def test_a_short_name_never_finds_a_model_of_timm():
    with pytest.raises(SpecError, match="unknown backbone 'convnext_tiny'"):
        registry.find("backbone", "convnext_tiny")


@needs_timm
def test_a_pipeline_is_rebuilt_from_its_spec_with_the_tag():
    pipeline = build_pipeline("timm/resnet18.a1_in1k:stride=8-deconv:layers=1")
    assert str(pipeline.spec) == "timm/resnet18.a1_in1k:stride=8-deconv:layers=1"
    assert build_pipeline(str(pipeline.spec)).head.stride == 4


def test_entries_that_have_no_tags_still_refuse_them():
    with pytest.raises(SpecError, match=r"'resnet18\.best': backbone 'resnet18' has no variant"):
        registry.resolve("backbone", "resnet18.best")
