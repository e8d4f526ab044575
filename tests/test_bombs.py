"""Small files that declare much: refused before the memory is taken."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from posezoo.data.convert.conversion import convert
from posezoo.data.convert.npz import npz_keys, open_npz
from posezoo.data.convert.recipe import Options
from posezoo.registry import parse_pipeline
from posezoo.safetensors_file import read_tensors
from posezoo.skeleton import H36M17
from posezoo.training.fitting import rebuild


@pytest.mark.parametrize(
    "spec",
    [
        "martinez:blocks=1000000",
        "martinez:width=1000000",
        "martinez:width=1000000000000",
        "resnet152-hm+martinez",
        "dstformer:width=102400",
    ],
)
def test_a_spec_of_more_than_the_weights_takes_no_memory(spec):
    weights = {"lifter.a": torch.zeros(100)}
    with pytest.raises(ValueError, match=r"model\.safetensors: ") as error:
        rebuild(parse_pipeline(spec), H36M17, weights, origin="model.safetensors")
    assert str(error.value).isprintable()


def test_a_header_that_says_more_than_the_file_holds_is_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    save_file({"a": torch.zeros(3)}, path)
    path.write_bytes(path.read_bytes().replace(b'"shape":[3]', b'"shape":[9]'))
    with pytest.raises(ValueError, match=r"a\.safetensors: not a whole safetensors file"):
        read_tensors(path)


def test_many_arrays_of_zeros_packed_to_nothing_are_refused(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, **{f"a{k}": np.zeros(30_000_000, np.uint8) for k in range(10)})
    with pytest.raises(ValueError, match=r"its arrays declare 300,001,280 bytes"):
        open_npz(path, *npz_keys(path), trust=False)


def test_a_name_of_megabytes_is_refused_as_it_is_read(tmp_path):
    path = tmp_path / "own.json"
    table = {"joints": "h36m17", "joints2d_px": [[[0, 0]] * 17], "subject": ["a" * 5_000_000]}
    path.write_text(json.dumps(table))
    with pytest.raises(ValueError, match=r"own\.json: subject\[0\] is 'aaa") as error:
        convert("own", path, tmp_path / "out.h5", options=Options())
    assert len(str(error.value)) < 400
