"""Parts of a training that start from other weights, by name or by file."""

import tomllib

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import save_file
from torch import nn

from posezoo.assembly import build_pipeline
from posezoo.backbones.resnet import resnet18
from posezoo.cli import main
from posezoo.inference.loading import load
from posezoo.weights.importing import import_file, keep
from posezoo.weights.starting import starting_weights

SMALL = "martinez:blocks=1,input=px,joints=published,width=4"


def silent(text):
    del text


def start(pipeline, item):
    return starting_weights(pipeline, str(item), warn=silent)


def torchvision_like_file(path, drop=()):
    """A whole ResNet-18 with classifier, under torchvision's names."""
    weights = {k: torch.randn_like(v) if v.is_floating_point() else v + 7
               for k, v in resnet18(cut="layer4").state_dict().items()}  # fmt: skip
    weights |= {"fc.weight": torch.randn(1000, 512), "fc.bias": torch.randn(1000)}
    kept = {k: v for k, v in weights.items() if k not in drop}
    save = save_file if path.suffix == ".safetensors" else torch.save
    save(kept, path)
    return kept


@pytest.mark.parametrize("name", ["resnet18.safetensors", "resnet18-f37072fd.pth"])
@pytest.mark.parametrize("part", ["", "backbone="])
def test_a_torchvision_file_fills_the_backbone_by_its_own_names(tmp_path, name, part):
    weights = torchvision_like_file(tmp_path / name)
    pipeline = build_pipeline("resnet18-hm")
    found = start(pipeline, f"{part}{tmp_path / name}")
    own = {f"backbone.{name}" for name in pipeline.backbone.state_dict()}
    assert found.tensors.keys() == own
    for key, value in found.tensors.items():
        assert torch.equal(value, weights[key.removeprefix("backbone.")]), key
    assert "32 left out" in found.notes[0]  # layer4 (30 tensors) and the classifier (2)


def test_a_file_that_lacks_a_tensor_of_the_backbone_is_refused(tmp_path):
    torchvision_like_file(tmp_path / "cut.safetensors", drop=("layer2.0.conv1.weight",))
    with pytest.raises(ValueError, match=r"1 missing, the first 'layer2.0.conv1.weight'"):
        start(build_pipeline("resnet18-hm"), tmp_path / "cut.safetensors")


def test_weights_of_another_depth_are_refused(tmp_path):
    torchvision_like_file(tmp_path / "resnet18.safetensors")
    with pytest.raises(ValueError, match="backbone: weights do not fit"):
        start(build_pipeline("resnet34-hm"), tmp_path / "resnet18.safetensors")


def test_a_network_that_is_wrapped_whole_takes_the_same_file(tmp_path):
    """As timm's, whose names stand below `net.model.` of ours."""
    weights = build_pipeline("resnet18-hm").backbone.state_dict()
    save_file(weights, tmp_path / "resnet18.safetensors")
    pipeline = build_pipeline("resnet18-hm")
    inner = pipeline.backbone
    pipeline.backbone = nn.Module()
    pipeline.backbone.net = nn.Module()
    pipeline.backbone.net.model = inner
    found = start(pipeline, tmp_path / "resnet18.safetensors")
    assert found.notes[0].endswith("resnet18.safetensors, 0 left out")
    assert torch.equal(found.tensors["backbone.net.model.conv1.weight"], weights["conv1.weight"])


@pytest.fixture
def original(tmp_path, perceptron):
    torch.save({"state_dict": perceptron()}, tmp_path / "ckpt.pth.tar")
    return tmp_path / "ckpt.pth.tar"


def test_another_project_s_file_fills_the_part_that_it_is(original, perceptron):
    pipeline = build_pipeline(f"resnet18-hm+{SMALL}")
    found = start(pipeline, f"lifter={original}")
    assert torch.equal(found.tensors["lifter.stem.0.weight"], perceptron()["w1.weight"])
    # The file has no statistics: those of the training data stay.
    assert not any("normalisation" in name for name in found.tensors)
    assert found.tensors.keys() == start(pipeline, original).tensors.keys()


def test_stored_weights_fill_it_by_their_name(original):
    imported = import_file(original, spec="martinez", warn=silent)
    keep(imported.pipeline, imported.about, "mine")
    found = start(build_pipeline(SMALL), "lifter=mine")
    assert "lifter.normalisation.input_mean" in found.tensors


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ("head=mine", r"'martinez:.*' has no head"),
        ("nobody", "the weights 'nobody' are not here"),
        ("lifter=no/such/folder", "no checkpoint here"),
    ],
)
def test_what_is_not_there_is_said(item, expected):
    with pytest.raises(ValueError, match=expected):
        start(build_pipeline(SMALL), item)


def test_a_file_of_our_own_checkpoint_fills_the_parts_that_it_has(tmp_path):
    torch.manual_seed(1)
    trained = build_pipeline(f"resnet18:cut=layer1,width=4-hm:width=4,block_b=false+{SMALL}")
    save_file(trained.state_dict(), tmp_path / "model.safetensors")
    torch.manual_seed(2)
    found = start(build_pipeline(SMALL), tmp_path / "model.safetensors")
    own = trained.lifter.state_dict()
    assert found.tensors.keys() == {f"lifter.{name}" for name in own}
    assert all(torch.equal(found.tensors[f"lifter.{n}"], value) for n, value in own.items())


def test_a_lifter_is_nothing_for_a_backbone(original):
    with pytest.raises(ValueError, match="holds lifter, nothing for 'resnet18-hm'"):
        start(build_pipeline("resnet18-hm"), original)


def train(out, *options):
    sets = ("eval_samples=8", "normalisation_samples=32", "data.items=24")
    small = ["--steps", "2", "--batch-size", "4", *(x for item in sets for x in ("--set", item))]
    args = ["train", SMALL, "--out", str(out), *small, *(str(option) for option in options)]
    return CliRunner().invoke(main, args)


def test_a_training_starts_from_a_run_and_remembers_it(tmp_path):
    first = tmp_path / "first"
    assert train(first).exit_code == 0
    result = train(tmp_path / "second", "--weights", f"lifter={first}", "--lr", "1e-12")
    assert result.exit_code == 0, result.output
    assert f"tensors from {first}, 0 left out" in result.output
    before, after = load(first).lifter.state_dict(), load(tmp_path / "second").lifter.state_dict()
    for name in ("stem.0.weight", "normalisation.input_mean", "normalisation.output_std"):
        assert torch.allclose(before[name], after[name], rtol=0, atol=1e-9), name
    kept = CliRunner().invoke(main, ["weights", "import", str(first), "--out", "first"])
    assert kept.exit_code == 0, kept.output
    assert torch.equal(load("first").lifter.stem[0].weight, before["stem.0.weight"])
    table = tomllib.loads((tmp_path / "second" / "run.toml").read_text())
    assert table["weights"]["sources"] == [f"lifter={first}"]


def test_weights_that_do_not_fit_are_refused_before_the_folder_is_made(tmp_path):
    result = train(tmp_path / "r", "--weights", "lifter=nobody")
    assert result.exit_code == 2 and "nobody" in result.stderr
    assert not (tmp_path / "r" / "run.toml").exists()


def test_a_lifter_of_clips_starts_from_weights_of_single_frames_and_says_what_is_new(tmp_path):
    single = build_pipeline("anylift:depth=1,heads=2,width=16").state_dict()
    clips = build_pipeline("anylift:depth=1,frames=5,heads=2,width=16")
    save_file(single, tmp_path / "single.safetensors")
    found = start(clips, tmp_path / "single.safetensors")
    new = {n for n in clips.state_dict() if n not in found.tensors and n.startswith("lifter.")}
    assert new == {n for n in new if n.startswith("lifter.over_frames.")}
    assert found.notes[0].endswith(f"0 left out, {len(new)} new") and len(new) == 21
    del single["lifter.norm.bias"]
    save_file(single, tmp_path / "less.safetensors")
    with pytest.raises(ValueError, match=r"1 missing, the first 'norm.bias'"):
        start(clips, tmp_path / "less.safetensors")
