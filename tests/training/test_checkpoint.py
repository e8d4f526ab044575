import json
import os
import shutil

import pytest
import torch
from safetensors.torch import load_file

from posezoo.assembly import build_pipeline
from posezoo.registry import parse_pipeline
from posezoo.training import checkpoint
from posezoo.training.checkpoint import TrainingState, load_pipeline, load_state, save_checkpoint

SPEC = "martinez:width=16,dropout=0.0"


def pipeline(seed=0):
    torch.manual_seed(seed)
    return build_pipeline(SPEC).eval()


def save(folder, model, **kwargs):
    save_checkpoint(folder, model.state_dict(), pipeline=model, provenance={"step": 7}, **kwargs)


def same(a, b):
    return all(torch.equal(a[name], b[name]) for name in a)


def test_the_weight_file_alone_says_how_to_rebuild_the_model(tmp_path):
    model = pipeline()
    save(tmp_path / "best", model)
    again = load_pipeline(tmp_path / "best")
    assert str(again.spec) == str(model.spec)
    assert not again.training
    assert same(again.state_dict(), model.state_dict())
    assert checkpoint.provenance(tmp_path / "best") == {"step": 7}


def test_the_training_state_comes_back_bit_by_bit(tmp_path):
    tensors = {"rng.cpu": torch.get_rng_state(), "optimizer.0.exp_avg": torch.randn(3)}
    state = TrainingState(tensors=tensors, values={"step": 3, "best": "inf"})
    save(tmp_path / "last", pipeline(), state=state)
    _, loaded = load_state(tmp_path / "last")
    assert same(loaded.tensors, tensors)
    assert loaded.values == {"step": 3, "best": "inf"}


@pytest.mark.parametrize("position", [0.3, 0.9, -1])
@pytest.mark.parametrize("file", ["model.safetensors", "state.safetensors", "state.json"])
def test_one_flipped_bit_is_caught(tmp_path, file, position):
    save(
        tmp_path / "last",
        pipeline(),
        state=TrainingState(tensors={"a": torch.zeros(9)}, values={"step": 1}),
    )
    path = tmp_path / "last" / file
    content = bytearray(path.read_bytes())
    content[int(position * len(content)) if position >= 0 else -1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"{file}: damaged, its sha256"):
        load_state(tmp_path / "last")


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_a_truncated_file_is_caught(tmp_path, share):
    save(tmp_path / "best", pipeline())
    path = tmp_path / "best" / "model.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match="damaged"):
        load_pipeline(tmp_path / "best")


def test_no_checkpoint_is_a_clear_word(tmp_path):
    with pytest.raises(ValueError, match=r"no checkpoint here \(manifest.json is missing\)"):
        load_pipeline(tmp_path)


class Killed(BaseException):
    """Stands for a kill: nothing of ours may catch it."""


@pytest.mark.parametrize("after", range(12))
def test_a_kill_at_any_moment_of_saving_leaves_the_old_or_the_new_checkpoint(
    tmp_path, monkeypatch, after
):
    old, new = pipeline(0), pipeline(1)
    save(tmp_path / "last", old)
    calls = iter(range(10_000))

    def deadly(function):
        def call(*args, **kwargs):
            if next(calls) >= after:
                raise Killed
            return function(*args, **kwargs)

        return call

    monkeypatch.setattr(checkpoint, "fsync", deadly(checkpoint.fsync))
    monkeypatch.setattr(checkpoint, "_save", deadly(checkpoint._save))
    monkeypatch.setattr("pathlib.Path.rename", deadly(type(tmp_path).rename))
    try:
        save(tmp_path / "last", new)
    except Killed:
        pass
    monkeypatch.undo()
    found = load_pipeline(tmp_path / "last").state_dict()
    assert same(found, old.state_dict()) or same(found, new.state_dict())
    save(tmp_path / "last", new)  # and the next one goes through
    assert same(load_pipeline(tmp_path / "last").state_dict(), new.state_dict())
    assert {p.name for p in tmp_path.iterdir()} == {"last"}


def test_a_full_disk_keeps_the_old_checkpoint_and_cleans_up(tmp_path, monkeypatch):
    old = pipeline(0)
    save(tmp_path / "last", old)

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(OSError, match="No space"):
        save(tmp_path / "last", pipeline(1))
    assert same(load_pipeline(tmp_path / "last").state_dict(), old.state_dict())
    assert {p.name for p in tmp_path.iterdir()} == {"last"}


def test_weights_that_are_not_numbers_are_refused(tmp_path):
    model = pipeline()
    with torch.no_grad():
        model.lifter.out.bias[3] = float("nan")
    save(tmp_path / "best", model)
    with pytest.raises(ValueError, match=r"'lifter.out.bias' holds NaN"):
        load_pipeline(tmp_path / "best")


def test_every_file_but_the_manifest_is_in_the_manifest(tmp_path):
    save(tmp_path / "last", pipeline(), state=TrainingState(tensors={"a": torch.zeros(1)}))
    manifest = json.loads((tmp_path / "last" / "manifest.json").read_text())
    files = {p.name for p in (tmp_path / "last").iterdir()} - {"manifest.json"}
    assert (
        manifest["sha256"].keys()
        == files
        == {
            "model.safetensors",
            "state.safetensors",
            "state.json",
        }
    )
    assert (
        load_file(tmp_path / "last" / "model.safetensors").keys() == pipeline().state_dict().keys()
    )


def half(folder, manifest):
    """What a kill leaves while the manifest of a checkpoint is written."""
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"whole, for all one knows")
    (folder / "manifest.json").write_text(manifest)


@pytest.mark.parametrize("manifest", ["", '{"sha2', "[]", '{"sha256": {}}', '{"sha256": 3}'])
def test_a_half_written_manifest_is_passed_over_for_the_checkpoint_before(tmp_path, manifest):
    old = pipeline(0)
    save(tmp_path / "last", old)
    half(tmp_path / "last.new", manifest)
    (tmp_path / "last").rename(tmp_path / "last.old")
    assert same(load_pipeline(tmp_path / "last").state_dict(), old.state_dict())
    assert "last.old is whole and takes its place" in checkpoint.settle(tmp_path / "last")
    assert [p.name for p in tmp_path.iterdir()] == ["last"]
    assert same(load_pipeline(tmp_path / "last").state_dict(), old.state_dict())


def test_a_whole_old_checkpoint_is_taken_where_the_last_is_damaged(tmp_path):
    save(tmp_path / "last", pipeline(1))
    save(tmp_path / "last.old", pipeline(0))
    (tmp_path / "last" / "model.safetensors").write_bytes(b"")
    assert "damaged" in checkpoint.settle(tmp_path / "last")
    assert same(load_pipeline(tmp_path / "last").state_dict(), pipeline(0).state_dict())


def test_leftovers_beside_a_whole_checkpoint_go(tmp_path):
    save(tmp_path / "last", pipeline())
    for name in ("last.old", "last.new"):
        shutil.copytree(tmp_path / "last", tmp_path / name)
    assert checkpoint.settle(tmp_path / "last") == ""
    assert [p.name for p in tmp_path.iterdir()] == ["last"]


def test_a_first_checkpoint_half_written_is_none(tmp_path):
    half(tmp_path / "last.new", '{"sha256": {"model.safetensors": "0"}}')
    assert not checkpoint.is_there(tmp_path / "last")
    assert checkpoint.settle(tmp_path / "last") == ""
    assert not any(tmp_path.iterdir())


def test_an_empty_list_of_checksums_does_not_switch_the_check_off(tmp_path):
    save(tmp_path / "best", pipeline())
    (tmp_path / "best" / "manifest.json").write_text('{"sha256": {}}')
    with pytest.raises(ValueError, match="it has no sha256 of model"):
        load_pipeline(tmp_path / "best")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)])
def test_who_may_read_a_checkpoint_is_said_by_the_umask(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        save(tmp_path / "last", pipeline(), state=TrainingState(tensors={"a": torch.zeros(1)}))
    finally:
        os.umask(before)
    assert {p.stat().st_mode & 0o777 for p in (tmp_path / "last").iterdir()} == {mode}


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("martinez:blocks=2000,width=16", "blocks: expected int, 1 to 128, got '2000'"),
        ("martinez:blocks=128,width=16384", "'lifter.stem.0.weight' is .*, the model has"),
    ],
)
def test_a_checkpoint_that_asks_for_more_than_it_holds_is_refused_before_it_is_built(
    tmp_path, monkeypatch, spec, said
):
    """128 blocks of 16384 would take 275 GB; nothing is allocated but their shapes."""
    small, wanted = pipeline(), parse_pipeline(spec)
    small.spec = wanted
    save(tmp_path / "best", small)
    built = []
    real = checkpoint.build_pipeline

    def watched(*args, **kwargs):
        built.append(real(*args, **kwargs))
        return built[-1]

    monkeypatch.setattr(checkpoint, "build_pipeline", watched)
    with pytest.raises(ValueError, match=said):
        load_pipeline(tmp_path / "best")
    assert all(p.is_meta for each in built for p in each.parameters())
