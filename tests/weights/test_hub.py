"""`hub:ORG/NAME`, on a hub that is a folder."""

import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch
from click.testing import CliRunner
from safetensors import safe_open
from safetensors.torch import save_file

from posezoo.assembly import build_pipeline
from posezoo.cli import main
from posezoo.inference.loading import load
from posezoo.weights.importing import import_file, keep
from posezoo.weights.named import open_named
from posezoo.weights.starting import starting_weights


class FakeHub(ModuleType):
    """The calls of huggingface_hub that are made, with its kinds of errors."""

    def __init__(self, folder: Path):
        super().__init__("huggingface_hub")
        self.folder, self.online = folder, True
        self.errors = errors = ModuleType("huggingface_hub.errors")
        errors.EntryNotFoundError = type("EntryNotFoundError", (Exception,), {})
        errors.LocalEntryNotFoundError = type(
            "LocalEntryNotFoundError", (FileNotFoundError, errors.EntryNotFoundError), {}
        )
        errors.RepositoryNotFoundError = type("RepositoryNotFoundError", (OSError,), {})
        errors.RevisionNotFoundError = type("RevisionNotFoundError", (OSError,), {})
        errors.GatedRepoError = type("GatedRepoError", (errors.RepositoryNotFoundError,), {})

    def hf_hub_download(self, repository, file, revision=None):
        if not self.online:
            raise self.errors.LocalEntryNotFoundError("no connection")
        if not (self.folder / repository).is_dir():
            raise self.errors.RepositoryNotFoundError("404 Client Error.\nRepository Not Found")
        if revision not in (None, "main"):
            raise self.errors.RevisionNotFoundError("404")
        if not (self.folder / repository / file).is_file():
            raise self.errors.EntryNotFoundError("404")
        return str(self.folder / repository / file)

    def HfApi(self):
        return self

    def create_repo(self, repository, private, exist_ok):
        assert exist_ok
        self.private = private
        (self.folder / repository).mkdir(parents=True, exist_ok=True)

    def upload_folder(self, repo_id, folder_path, commit_message):
        assert commit_message
        for file in Path(folder_path).iterdir():
            (self.folder / repo_id / file.name).write_bytes(file.read_bytes())


@pytest.fixture
def hub(tmp_path, monkeypatch):
    fake = FakeHub(tmp_path / "hub")
    monkeypatch.setitem(sys.modules, "huggingface_hub", fake)
    monkeypatch.setitem(sys.modules, "huggingface_hub.errors", fake.errors)
    return fake


@pytest.fixture
def stored(tmp_path, perceptron):
    torch.save(perceptron(), tmp_path / "w.pth")
    found = import_file(tmp_path / "w.pth", spec="martinez", warn=print)
    keep(found.pipeline, found.about, "mine")
    return load("mine")


def posezoo(*args):
    return CliRunner().invoke(main, [str(arg) for arg in args])


def test_what_is_pushed_comes_back_by_its_name(hub, stored):
    result = posezoo("weights", "push", "mine", "hub:me/lifter", "--private")
    assert result.exit_code == 0, result.output
    assert result.stdout == "https://huggingface.co/me/lifter\n"
    assert "terms of these weights: MIT" in result.stderr
    assert hub.private
    again = load("hub:me/lifter")
    assert str(again.spec) == str(stored.spec)
    assert torch.equal(again.lifter.out.weight, stored.lifter.out.weight)
    assert open_named("hub:me/lifter").about == open_named("mine").about


def test_what_was_pushed_can_be_kept_under_a_name(hub, stored):
    posezoo("weights", "push", "mine", "hub:me/lifter")
    result = posezoo("weights", "import", "hub:me/lifter", "--out", "copy")
    assert result.exit_code == 0, result.output
    assert open_named("copy").about == open_named("mine").about
    assert torch.equal(load("copy").lifter.out.weight, stored.lifter.out.weight)


def test_the_card_says_whose_it_is_and_how_to_use_it(hub, stored):
    posezoo("weights", "push", "mine", "hub:me/lifter")
    card = (hub.folder / "me/lifter/README.md").read_text()
    assert card.startswith("---\nlicense: mit\nlibrary_name: posezoo\n")
    assert 'posezoo.load("hub:me/lifter")' in card
    assert "| terms of the weights | MIT; trained on Human3.6M, whose own terms" in card
    assert "| joint set | h36m17 |" in card
    with safe_open(hub.folder / "me/lifter/model.safetensors", framework="pt") as opened:
        assert opened.metadata()["spec"] == str(stored.spec)


def test_a_flipped_byte_of_a_pulled_file_is_found(hub, stored):
    posezoo("weights", "push", "mine", "hub:me/lifter")
    file = hub.folder / "me/lifter/model.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"\x00\x01"[-1:])
    with pytest.raises(ValueError, match="its sha256 is not the repository's own"):
        load("hub:me/lifter")


def test_another_project_s_repository_is_imported(hub, perceptron):
    (hub.folder / "them/net").mkdir(parents=True)
    torch.save({"state_dict": perceptron()}, hub.folder / "them/net/ckpt.pth")
    (hub.folder / "them/net/notes.txt").write_text("hello")
    with pytest.raises(ValueError, match=r"hub:them/net: no such file .*hub:ORG/NAME/FILE"):
        load("hub:them/net")
    pipeline = build_pipeline("martinez:blocks=1,input=px,joints=published,width=4")
    found = starting_weights(pipeline, "hub:them/net/ckpt.pth", warn=print)
    assert torch.equal(found.tensors["lifter.out.bias"], perceptron()["w2.bias"])


def test_a_repository_is_imported_by_its_name_with_its_config(hub, perceptron):
    folder = hub.folder / "them/net"
    folder.mkdir(parents=True)
    save_file(perceptron(), folder / "model.safetensors")
    (folder / "config.json").write_text('{"input_size": 32}')
    result = posezoo("weights", "import", "hub:them/net", "--out", "theirs")
    assert result.exit_code == 0, result.output
    assert open_named("theirs").about["family"] == "semgcn"
    assert str(load("hub:them/net").spec) == str(load("theirs").spec)


def test_a_backbone_of_timm_s_repositories_starts_by_its_name(hub):
    folder = hub.folder / "timm/resnet18.a1_in1k"
    folder.mkdir(parents=True)
    weights = build_pipeline("resnet18:cut=layer4-hm").backbone.state_dict()
    save_file(weights | {"fc.weight": torch.ones(1000, 512)}, folder / "model.safetensors")
    (folder / "config.json").write_text('{"architecture": "resnet18"}')
    pipeline = build_pipeline("resnet18-hm")
    found = starting_weights(pipeline, "backbone=hub:timm/resnet18.a1_in1k", warn=print)
    assert torch.equal(found.tensors["backbone.conv1.weight"], weights["conv1.weight"])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("hub:nobody/nothing", "no such repository, or one that you may not see"),
        ("hub:me/lifter@v9", "no such file or revision there"),
        ("hub:lifter", "expected hub:ORG/NAME"),
        ("hub:../../etc", "expected hub:ORG/NAME"),
    ],
)
def test_a_wrong_name_is_said_in_one_line(hub, stored, name, expected):
    posezoo("weights", "push", "mine", "hub:me/lifter")
    with pytest.raises(ValueError, match=expected) as refusal:
        load(name)
    assert "\n" not in str(refusal.value)


def test_without_a_network_the_way_out_is_said(hub):
    hub.online = False
    with pytest.raises(ValueError, match=r"cannot be reached .* posezoo weights import FILE"):
        load("hub:me/lifter")


def test_without_the_package_its_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ValueError, match=r"pip install 'posezoo\[hub\]'"):
        load("hub:me/lifter")


def test_only_a_repository_can_be_pushed_to(hub, stored):
    result = posezoo("weights", "push", "mine", "hub:me/lifter/file.safetensors")
    assert result.exit_code == 2 and "expected hub:ORG/NAME to push to" in result.stderr
