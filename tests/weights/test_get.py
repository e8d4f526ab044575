"""Fetching weights: a wheel of a few bytes in place of the real one, and pip in many moods."""

import errno
import hashlib
import io
import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from posezoo.weights import get, index
from posezoo.weights.blazepose import _landmarks, _person
from posezoo.weights.get import get_weights
from posezoo.weights.store import load_weights

CONTENT = b"four numbers"


def wheel_of(files):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return held.getvalue()


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def convert(files):
    """What index.toml names for real weights."""
    assert files == {"a/net.tflite": CONTENT}
    return {"net.weight": torch.arange(4.0)}


@pytest.fixture(autouse=True)
def known(tmp_path, monkeypatch):
    """An index with one entry, whose wheel is this one."""
    monkeypatch.setenv("POSEZOO_CACHE", str(tmp_path / "cache"))
    wheel = wheel_of({"a/net.tflite": CONTENT})
    real = index.known_weights()["blazepose"]
    entry = replace(
        real,
        convert="a_converter:convert",
        files={"a/net.tflite": sha256(CONTENT)},
        wheel=replace(real.wheel, bytes=len(wheel), sha256=sha256(wheel)),
    )
    monkeypatch.setattr(get, "known_weights", lambda: {"blazepose": entry})
    monkeypatch.setitem(sys.modules, "a_converter", SimpleNamespace(convert=convert))
    return wheel


@pytest.fixture
def pip(monkeypatch, known):
    """What pip is asked, and what it answers."""
    asked = []

    def answer(*, wheels=(known,), code=0, error=""):
        def run(command, **options):
            asked.append(command)
            folder = Path(command[command.index("--dest") + 1])
            for number, content in enumerate(wheels):
                (folder / f"mediapipe-{number}.whl").write_bytes(content)
            return subprocess.CompletedProcess(command, code, "", error)

        monkeypatch.setattr(get.subprocess, "run", run)
        return asked

    return answer


def test_pip_downloads_the_wheel_and_the_weights_are_kept(pip):
    asked = pip()
    stored = get_weights("blazepose")
    tensors, _ = load_weights("blazepose")
    assert tensors["net.weight"].tolist() == [0, 1, 2, 3]
    assert (stored.about["licence"], stored.about["joint_set"]) == ("Apache-2.0", "blazepose33")
    (command,) = asked
    assert command[1:4] == ["-m", "pip", "download"]
    assert command[-1] == "mediapipe==0.10.21"
    assert {"--no-deps", "--only-binary=:all:", "manylinux_2_28_x86_64"} <= {*command}


def test_a_wheel_that_is_here_needs_no_pip(tmp_path, known):
    (tmp_path / "x.whl").write_bytes(known)
    get_weights("blazepose", wheel=tmp_path / "x.whl")
    assert load_weights("blazepose")[0]["net.weight"].shape == (4,)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ("/usr/bin/python3: No module named pip", "this Python has no pip to download with"),
        ("WARNING: x\nERROR: Could not find a version that satisfies", "pip could not download"),
        ("", r"pip could not download mediapipe==0.10.21 \(no message\)"),
    ],
)
def test_a_pip_that_cannot_says_so_and_names_the_other_way(pip, error, message):
    pip(wheels=(), code=1, error=error)
    with pytest.raises(ValueError, match=rf"{message}.*--wheel FILE$"):
        get_weights("blazepose")


def test_a_download_of_nothing_is_refused(pip):
    pip(wheels=())
    with pytest.raises(ValueError, match="pip downloaded 0 wheels, expected 1"):
        get_weights("blazepose")


def flipped(wheel):
    return wheel[:40] + bytes([wheel[40] ^ 1]) + wheel[41:]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda wheel: b"<html>",
            r"not a wheel, which is a zip file; expected mediapipe==0\.10\.21",
        ),
        (lambda wheel: wheel[:-9], "bytes, expected .*: truncated, or another wheel"),
        (flipped, r"sha256 [0-9a-f]{12}\.\.\., expected [0-9a-f]{12}\.\.\.: damaged"),
    ],
)
def test_another_file_than_the_wheel_is_refused_and_nothing_is_kept(
    tmp_path, known, change, message
):
    file = tmp_path / "x.whl"
    file.write_bytes(change(known))
    with pytest.raises(ValueError, match=message):
        get_weights("blazepose", wheel=file)
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a/net.tflite": b"five numbers"}, r"a/net\.tflite: sha256"),
        ({"b": CONTENT}, "There is no item named 'a/net.tflite'"),
    ],
)
def test_a_file_inside_is_checked_too(tmp_path, monkeypatch, files, message):
    wheel = wheel_of(files)
    entry = get.known_weights()["blazepose"]
    held = replace(entry.wheel, bytes=len(wheel), sha256=sha256(wheel))
    monkeypatch.setattr(get, "known_weights", lambda: {"blazepose": replace(entry, wheel=held)})
    (tmp_path / "x.whl").write_bytes(wheel)
    with pytest.raises(ValueError, match=message):
        get_weights("blazepose", wheel=tmp_path / "x.whl")


def test_an_unknown_name_suggests_the_near_one():
    with pytest.raises(ValueError, match=r"unknown weights 'blazpose'\. Did you mean 'blazepose'"):
        get_weights("blazpose")


def test_a_cache_that_cannot_be_written_is_an_os_error(tmp_path, monkeypatch, pip):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("POSEZOO_CACHE", str(tmp_path / "file"))
    pip()
    with pytest.raises(OSError, match=os.strerror(errno.EEXIST)):
        get_weights("blazepose")


def test_every_tensor_of_the_detector_has_a_place_in_the_files():
    from posezoo.detectors.blazepose import BlazePose

    with torch.device("meta"):
        own = {name.rpartition(".")[0] for name in BlazePose().state_dict()}
    named = [*_person(), *_landmarks()]
    assert {name for name in named if name} == own
    assert len([n for n in named if n]) == len(own)  # none twice
    assert (len([*_person()]), len([*_landmarks()])) == (45 + 28, 58 + 38)


def test_the_index_is_complete():
    for name, entry in index.known_weights().items():
        assert entry.command == f"posezoo weights get {name}"
        assert len(entry.wheel.sha256) == 64
        assert all(len(digest) == 64 for digest in entry.files.values())
    assert index.weights_of("blazepose") == "blazepose"
    assert index.weights_of("martinez") is None
