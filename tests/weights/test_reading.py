"""Files of other projects: read without running them, refused in one line."""

import argparse
import os
import pickle
import struct
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from posezoo.weights.reading import read
from posezoo.weights.unwrapping import unwrap


def refuse(text):
    raise AssertionError(f"nothing had to be said: {text}")


def state_of(path, **options):
    options = {"warn": refuse} | options
    return unwrap(read(path, **options).value, origin=path.name).state


@pytest.mark.parametrize("name", ["w.pth", "w.pt", "w.bin", "w.pth.tar", "w.ckpt"])
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_a_file_of_torch_is_read_whatever_its_name_and_layout(tmp_path, name, zipped):
    file = tmp_path / name
    torch.save({"a": torch.tensor([1.0, 2.0])}, file, _use_new_zipfile_serialization=zipped)
    assert state_of(file)["a"].tolist() == [1.0, 2.0]


def test_safetensors_are_read_whatever_they_are_called(tmp_path):
    save_file({"a": torch.tensor([3.0])}, tmp_path / "weights.pth")
    assert state_of(tmp_path / "weights.pth")["a"].tolist() == [3.0]


@pytest.mark.parametrize("first", [b"<", b"\x80", b"P"])
def test_safetensors_are_known_whatever_the_length_of_their_header_begins_with(tmp_path, first):
    header = b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    header = header.ljust(first[0] + 256)  # padded with spaces, as the format allows
    numbers = struct.pack("<f", 2.5)
    (tmp_path / "w.bin").write_bytes(struct.pack("<Q", len(header)) + header + numbers)
    assert (tmp_path / "w.bin").read_bytes()[:1] == first
    assert state_of(tmp_path / "w.bin")["a"].tolist() == [2.5]


def test_the_sha256_is_that_of_the_bytes(tmp_path):
    save_file({"a": torch.zeros(2)}, tmp_path / "w.safetensors")
    digest = read(tmp_path / "w.safetensors", warn=refuse).sha256
    (tmp_path / "w.safetensors").write_bytes((tmp_path / "w.safetensors").read_bytes() + b" ")
    assert len(digest) == 64
    with pytest.raises(ValueError, match="damaged"):
        read(tmp_path / "w.safetensors", warn=refuse)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_plain_data_that_trainings_save_beside_weights_does_no_harm(tmp_path, zipped):
    """As VideoPose3D's random state, an error in float64, and command-line arguments."""
    saved = {
        "epoch": 3,
        "random_state": np.random.RandomState(1),
        "error": np.float64(51.9),
        "history": np.arange(3),
        "args": argparse.Namespace(lr=0.1),
        "model_pos": {"a": torch.ones(1)},
    }
    torch.save(saved, tmp_path / "w.bin", _use_new_zipfile_serialization=zipped)
    assert state_of(tmp_path / "w.bin")["a"].tolist() == [1.0]


class _Saved:
    """Pickled, it is what `reduced` says."""

    def __init__(self, *reduced):
        self.reduced = reduced

    def __reduce__(self):
        return self.reduced


def test_a_random_state_of_an_old_numpy_is_read(tmp_path):
    """VideoPose3D's files are of 2018."""
    old = getattr(np.random, "__RandomState_ctor")
    state = np.random.RandomState(3).get_state()
    saved = {"model_pos": {"a": torch.ones(1)}, "random_state": _Saved(old, (), state)}
    torch.save(saved, tmp_path / "old.bin", _use_new_zipfile_serialization=False)
    assert read(tmp_path / "old.bin", warn=refuse).value["random_state"].randint(100) == 24


class _RunsCode:
    """Pickled, it makes a folder when it is read."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_a_pickle_that_runs_code_does_not_run(tmp_path, zipped):
    file, proof = tmp_path / "evil.pth", tmp_path / "proof"
    saved = {"state_dict": {"a": torch.ones(1)}, "more": _RunsCode(proof)}
    torch.save(saved, file, _use_new_zipfile_serialization=zipped)
    with pytest.raises(ValueError, match=r"posix\.mkdir|nt\.mkdir") as refusal:
        read(file, warn=refuse)
    assert "--trust" in str(refusal.value)
    assert not proof.exists()
    assert [*tmp_path.iterdir()] == [file]


def test_a_trusted_pickle_runs_and_says_so(tmp_path):
    file, proof = tmp_path / "mine.pth", tmp_path / "proof"
    torch.save({"state_dict": {"a": torch.ones(1)}, "more": _RunsCode(proof)}, file)
    told = []
    assert state_of(file, trust=True, warn=told.append)["a"].tolist() == [1.0]
    assert proof.is_dir()
    assert len(told) == 1 and "runs whatever code" in told[0]


def test_a_bare_pickle_is_refused_before_it_runs(tmp_path):
    proof = tmp_path / "proof"
    (tmp_path / "bare.pkl").write_bytes(pickle.dumps(_RunsCode(proof)))
    with pytest.raises(ValueError, match=r"bare.pkl: a pickle, but not of torch.save"):
        read(tmp_path / "bare.pkl", warn=refuse)
    assert not proof.exists()


def huge_header(path):
    header = b'{"a":{"dtype":"F32","shape":[1000000000000],"data_offsets":[0,4000000000000]}}'
    path.write_bytes(struct.pack("<Q", len(header)) + header + b"\0" * 16)


def huge_length(path):
    path.write_bytes(struct.pack("<Q", 2**62) + b'{"a":{}}')


def stretched(path):
    """One number that claims to be a trillion."""
    torch.save({"a": torch.zeros(1).expand(10**12)}, path)


def bomb(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\0" * 10_000_000)


def archive(path):
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr("readme.txt", "hello")


def script(path):
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr("net/data.pkl", b"\x80\x02}.")
        opened.writestr("net/code/__torch__.py", "class Net: ...")


def cut(path):
    torch.save({f"layer{k}": torch.randn(50) for k in range(5)}, path)
    path.write_bytes(path.read_bytes()[:900])


def cut_legacy(path):
    torch.save({"a": torch.randn(500)}, path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes()[:-300])


def cut_safetensors(path):
    save_file({"a": torch.randn(500)}, path)
    path.write_bytes(path.read_bytes()[:-300])


BAD = {
    "empty": (lambda path: path.write_bytes(b""), "empty, 0 bytes"),
    "a web page": (lambda path: path.write_text("\n <!DOCTYPE html><html>"), "a web page"),
    "a pointer": (lambda path: path.write_text("version https://git-lfs.github.com"), "git lfs"),
    "text": (lambda path: path.write_text("weights"), "neither safetensors nor a file of torch"),
    "a folder": (lambda path: path.mkdir(), "a folder without model.safetensors"),
    "nothing": (lambda path: None, "no such file"),
    "a cut zip": (cut, "cut short or damaged"),
    "a cut legacy file": (cut_legacy, "cut short or damaged"),
    "cut safetensors": (cut_safetensors, "cut short or damaged"),
    "a huge tensor by its header": (huge_header, "cut short or damaged"),
    "a huge header": (huge_length, "cut short or damaged"),
    "a stretched number": (stretched, "more than is there"),
    "a zip bomb": (bomb, "compressed"),
    "another archive": (archive, "readme.txt"),
    "a script": (script, "TorchScript"),
    "a list": (lambda path: torch.save([1, 2], path), "holds a list"),
    "no tensors": (lambda path: torch.save({"epoch": 3}, path), "holds no weights, only epoch"),
    "sparse": (lambda path: torch.save({"a": torch.eye(3).to_sparse()}, path), "sparse"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_gets_one_line_that_names_it_and_nothing_is_left(tmp_path, kind):
    make, expected = BAD[kind]
    file = tmp_path / "bad.pth"
    make(file)
    before = {*tmp_path.rglob("*")}
    with pytest.raises(ValueError, match=expected) as refusal:
        state_of(file)
    assert str(refusal.value).startswith((str(file), "bad.pth"))
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 400
    assert {*tmp_path.rglob("*")} == before
