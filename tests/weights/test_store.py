"""Weights are kept whole, checked when they are read, and named with what to type."""

import json

import pytest
import torch

from posezoo.weights import store


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("POSEZOO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def kept(value=1.0):
    return store.save_weights("mine", {"a.weight": torch.full((2, 3), value)}, {"licence": "MIT"})


def test_what_is_kept_is_read_again():
    kept()
    tensors, stored = store.load_weights("mine")
    assert tensors["a.weight"].tolist() == [[1.0] * 3] * 2
    assert (stored.about, stored.bytes) == ({"licence": "MIT"}, stored.path.stat().st_size)
    assert store.all_stored() == ["anylift.cmu", "anylift.cmu27", "mine", "semgcn.cmu"]


def test_new_weights_replace_old_ones_and_nothing_is_left_behind(cache):
    old = kept().path
    new = kept(2.0).path
    assert store.load_weights("mine")[0]["a.weight"][0, 0] == 2
    assert sorted(path.name for path in cache.iterdir()) == sorted([new.name, "mine.json"])
    assert old != new


def test_a_name_that_begins_alike_is_left_alone():
    store.save_weights("mine-too", {"b": torch.zeros(1)}, {})
    kept()
    kept(2.0)
    assert store.load_weights("mine-too")[0]["b"].tolist() == [0]


def test_a_flipped_byte_is_an_error():
    path = kept().path
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"damaged, its sha256 is not the one written down"):
        store.load_weights("mine")


def test_a_file_that_is_gone_and_a_description_that_is_damaged_are_errors():
    stored = kept()
    stored.path.unlink()
    with pytest.raises(ValueError, match="missing"):
        store.load_weights("mine")
    stored.path.with_name("mine.json").write_text("{")
    with pytest.raises(ValueError, match=r"mine\.json: damaged"):
        store.load_weights("mine")


def test_weights_of_the_index_that_are_not_here_name_their_command():
    with pytest.raises(ValueError, match=r"Type: posezoo weights get blazepose$"):
        store.load_weights("blazepose")
    with pytest.raises(ValueError, match=r"See: posezoo weights list$"):
        store.load_weights("nobodys")


@pytest.mark.parametrize("name", ["../x", "", "A", "a/b", ".x"])
def test_a_name_is_no_path(name):
    with pytest.raises(ValueError, match="expected lower-case letters, digits"):
        store.save_weights(name, {}, {})


def test_a_write_that_fails_leaves_the_old_weights(cache, monkeypatch):
    kept()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        kept(2.0)
    assert store.load_weights("mine")[0]["a.weight"][0, 0] == 1
    assert len([*cache.iterdir()]) == 2


def test_the_cache_is_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.delenv("POSEZOO_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert store.cache_folder() == tmp_path / "posezoo"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert store.cache_folder() == tmp_path / ".cache" / "posezoo"


def test_the_description_is_plain_json(cache):
    stored = kept()
    found = json.loads((cache / "mine.json").read_text())
    assert (found["file"], found["sha256"]) == (stored.path.name, stored.sha256)
