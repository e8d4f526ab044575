import hashlib
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import posezoo
from posezoo.geometry import person_size
from posezoo.inference import loading
from posezoo.inference.predictor import Predictor
from posezoo.testing import assert_equal_up_to_rounding
from posezoo.testing.examples import people
from posezoo.weights import store
from posezoo.weights.shipped import ShippedWeights, shipped_weights


@pytest.fixture
def shipped(painted, tmp_path, monkeypatch):
    """Weights `standing.test` that come with the package, as its default."""
    monkeypatch.setenv("POSEZOO_CACHE", str(tmp_path / "cache"))
    file = tmp_path / "standing.test.safetensors"
    shutil.copy(painted.save_standing(tmp_path / "run") / "model.safetensors", file)
    held = ShippedWeights(
        name="standing.test",
        file=str(file),
        sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
        summary="For a test.",
        source="tests",
        licence="Apache-2.0",
        spec="standing",
        joint_set="h36m17",
        default=True,
    )
    for module in (loading, store):
        monkeypatch.setattr(module, "shipped_weights", lambda: {held.name: held})
    monkeypatch.setattr(loading, "DETECTOR", "marks")
    return file


def test_nothing_said_takes_what_is_shipped(painted, shipped):
    predictor = Predictor()
    assert predictor.name == "marks+standing.test"
    digest = hashlib.sha256(shipped.read_bytes()).hexdigest()
    assert predictor.loaded.weights == {"standing.test": digest}
    (person,) = predictor.picture(painted.paint([painted.project((0, 0, 3000))])).people
    np.testing.assert_allclose(person.joints3d, painted.POSE_MM, atol=1e-4)


@pytest.mark.parametrize(
    ("what", "detector", "name"),
    [
        ("marks+standing.test", None, "marks+standing.test"),
        ("marks:score=0.5+standing.test", None, "marks:score=0.5+standing.test"),
        ("standing.test", None, "marks+standing.test"),
        (None, "marks:score=0.5", "marks:score=0.5+standing.test"),
        ("standing.test", "marks:score=0.5", "marks:score=0.5+standing.test"),
    ],
)
def test_a_tag_or_a_name_is_that_of_weights(shipped, what, detector, name):
    predictor = Predictor(what, detector=detector)
    assert predictor.name == name
    assert predictor.pipeline.detector is not None


def test_load_gives_a_pipeline_whatever_is_named(shipped, painted, tmp_path):
    for what, has_detector in (
        (tmp_path / "run", False), ("standing.test", False), ("marks+standing.test", True),
        ("marks", True),
    ):  # fmt: skip
        pipeline = posezoo.load(what)
        assert isinstance(pipeline, posezoo.Pipeline) and not pipeline.training
        assert (pipeline.detector is not None) == has_detector


def test_a_pipeline_that_is_being_trained_predicts_in_eval_mode(shipped):
    pipeline = posezoo.load("marks+standing.test").train()
    assert not Predictor(pipeline).pipeline.training


def test_a_flipped_byte_in_shipped_weights_is_refused(shipped):
    content = bytearray(shipped.read_bytes())
    content[-3] ^= 1
    shipped.write_bytes(bytes(content))
    with pytest.raises(ValueError, match="damaged"):
        Predictor()


def test_a_lifter_leaves_what_it_has_no_place_for(shipped, monkeypatch):
    """One file may hold a lifter of single frames and what clips add to it."""
    tensors = load_file(shipped)
    save_file({**tensors, "lifter.over_frames.out": torch.zeros(2)}, shipped)
    (held,) = store.shipped_weights().values()
    held = replace(held, sha256=hashlib.sha256(shipped.read_bytes()).hexdigest())
    monkeypatch.setattr(store, "shipped_weights", lambda: {held.name: held})
    with pytest.raises(ValueError, match=r"over_frames\.out"):
        posezoo.load("standing.test")
    less = replace(held, without="lifter.over_frames.*")
    monkeypatch.setattr(store, "shipped_weights", lambda: {less.name: less})
    assert posezoo.load("standing.test").state_dict().keys() == tensors.keys()


def test_a_picture_is_lifted_alike_by_the_two_that_share_a_file():
    """`anylift.cmu27` is `anylift.cmu` where it sees one frame, and is not where it sees more."""
    alone, clips = posezoo.load("anylift.cmu"), posezoo.load("anylift.cmu27")
    assert alone.lifter.frames == 1 and clips.lifter.frames == 27
    batch = people(3, frames=9)
    with torch.no_grad():
        one = alone.lift(batch.joints2d, batch.camera)
        first = clips.lifted_window(batch.joints2d[:, :1], batch.camera).joints3d
        all_nine = clips.lifted_window(batch.joints2d, batch.camera).joints3d
    assert_equal_up_to_rounding(first, one[:, :1], terms=512)
    assert (all_nine - one).norm(dim=-1).mean() > 1  # mm


def test_what_is_shipped_for_videos_takes_out_the_jitter_of_noisy_joints():
    """Invented people, errors of 5 % of their size that are new in every frame."""
    batch, draw = people(20, frames=27), torch.Generator().manual_seed(0)
    error = torch.randn(batch.joints2d.shape, generator=draw)
    noisy = batch.joints2d + 0.05 * person_size(batch.joints2d)[..., None] * error
    sure = torch.full(noisy.shape[:-1], 0.8)
    off = {}
    for name in ("anylift.cmu", "anylift.cmu27"):
        with torch.no_grad():
            found = posezoo.load(name).lifter.lift_window(noisy, batch.camera, sure)
        off[name] = found - batch.joints3d
    alone, clips = off.values()
    moved = [each.diff(dim=1).norm(dim=-1).mean().item() for each in (alone, clips)]
    assert moved[1] < 0.35 * moved[0]
    assert clips.norm(dim=-1).mean() < 1.05 * alone.norm(dim=-1).mean()


def test_what_is_really_shipped_is_whole():
    """Every stanza of shipped.toml: a file under 8 MB, of that hash, that its lifter takes."""
    for name, held in shipped_weights().items():
        assert hashlib.sha256(held.path.read_bytes()).hexdigest() == held.sha256, name
        assert held.path.stat().st_size < 8 << 20
        assert posezoo.load(name).skeleton.name == held.joint_set
    assert sum(held.default for held in shipped_weights().values()) <= 1


def test_without_a_shipped_lifter_one_must_be_said(monkeypatch):
    monkeypatch.setattr(loading, "shipped_weights", dict)
    with pytest.raises(ValueError, match="give --pipeline, a run or weights"):
        Predictor()


@pytest.mark.parametrize(
    ("pipeline", "detector", "missing"),
    [
        ("blazepose+standing.test", None, ["blazepose"]),
        ("standing.test", None, ["blazepose"]),
        ("standing.test", "marks", []),
        ("marks+standing.test", None, []),
        ("resnet18-hm", None, []),
        ("resnet18-hm", "blazepose", ["blazepose"]),
    ],
)
def test_what_must_be_fetched_is_known_before_anything_is_loaded(
    shipped, monkeypatch, pipeline, detector, missing
):
    monkeypatch.setattr(loading, "DETECTOR", "blazepose")
    assert [w.name for w in loading.missing_weights(pipeline, detector)] == missing


def test_a_run_that_lifts_needs_a_detector(shipped, tmp_path, monkeypatch):
    monkeypatch.setattr(loading, "DETECTOR", "blazepose")
    assert [w.name for w in loading.missing_weights(tmp_path / "run", None)] == ["blazepose"]
    assert loading.missing_weights(tmp_path / "run", "marks") == []
