"""A layer used twice is saved once and comes back as one."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from posezoo.training.shared_tensors import restored, saved_once


def tied():
    """Two names for one matrix of 2 x 3."""
    module = nn.Module()
    module.a = module.b = nn.Linear(3, 2)
    return module


def through(tmp_path, tensors):
    """Written to a file, and read again; and the names that are in the file itself."""
    kept, about = saved_once(tensors)
    save_file(kept, tmp_path / "x.safetensors", about)
    held = load_file(tmp_path / "x.safetensors")
    return restored(held, about, origin="x"), [*held]


def test_one_layer_of_two_names_is_in_the_file_once(tmp_path):
    state = tied().state_dict()
    found, held = through(tmp_path, state)
    assert sorted(state) == ["a.bias", "a.weight", "b.bias", "b.weight"]
    assert sorted(held) == ["a.bias", "a.weight"]
    assert sorted(found) == sorted(state)
    assert found["b.weight"] is found["a.weight"]
    assert all(torch.equal(found[name], state[name]) for name in state)


def test_equal_numbers_in_two_places_are_two_tensors(tmp_path):
    _, held = through(tmp_path, {"a": torch.ones(2), "b": torch.ones(2)})
    assert sorted(held) == ["a", "b"]


def test_slices_and_transposes_of_one_tensor_are_saved_by_themselves(tmp_path):
    whole = torch.arange(6.0).view(2, 3)
    state = {"whole": whole, "row": whole[0], "turned": whole.T, "wide": whole[:1].expand(2, 3)}
    found, held = through(tmp_path, state)
    assert sorted(held) == ["row", "turned", "whole", "wide"]
    assert found["row"].tolist() == [0, 1, 2]
    assert found["turned"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert found["wide"].tolist() == [[0, 1, 2], [0, 1, 2]]


def test_empty_tensors_are_never_one(tmp_path):
    found, _ = through(tmp_path, {"a": torch.zeros(0), "b": torch.zeros(0, 3)})
    assert found["b"].shape == (0, 3)


@pytest.mark.parametrize("shared", ['{"b": "z"}', '["b"]', '{"b": 1}'])
def test_a_name_of_a_tensor_that_is_not_there_is_damage(shared):
    with pytest.raises(ValueError, match=r"^x: (damaged, its metadata share a tensor|metadata: )"):
        restored({"a": torch.ones(1)}, {"shared": shared}, origin="x")


@pytest.mark.parametrize(
    "value", [{"version": 2}, torch.eye(2).to_sparse(), torch.ones(1, device="meta")]
)
def test_what_is_no_dense_tensor_is_refused_by_name(value):
    with pytest.raises(ValueError, match=r"^'extra' of the state dict is .*dense tensors"):
        saved_once({"extra": value})


def test_the_metadata_are_plain_json():
    assert json.loads(saved_once(tied().state_dict())[1]["shared"]) == {
        "b.bias": "a.bias",
        "b.weight": "a.weight",
    }
