"""`posezoo weights verify`, as scripts call it."""

import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from posezoo.cli import main
from posezoo.weights.importing import import_file


def verify(*args):
    return CliRunner().invoke(main, ["weights", "verify", *(str(arg) for arg in args)])


@pytest.fixture
def case(tmp_path, perceptron):
    """A file, and what its network gives: exactly, for it is compared with itself."""
    torch.save({"state_dict": perceptron()}, tmp_path / "w.pth")
    network = import_file(tmp_path / "w.pth", spec="martinez", warn=print).pipeline.lifter.network
    x = torch.randn(70, 32)
    with torch.inference_mode():
        y = network(x)
    arrays = {"input": x[:6], "output": y[:6], "more_input": x[6:], "more_output": y[6:]}
    return tmp_path / "w.pth", {name: value.numpy() for name, value in arrays.items()}


def write(path, arrays):
    np.savez(path, **arrays)
    return path


def test_scripts_get_the_four_keys(case, tmp_path):
    file, arrays = case
    result = verify(file, write(tmp_path / "case.npz", arrays), "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.output)
    assert found.keys() == {"family", "spec", "max_abs_diff", "max_abs_output"}
    assert found["family"] == "martinez"
    assert found["spec"] == "martinez:blocks=1,input=px,joints=published,width=4"
    largest = max(abs(arrays["output"]).max(), abs(arrays["more_output"]).max())
    assert found["max_abs_output"] == pytest.approx(largest, rel=1e-7)
    assert found["max_abs_diff"] < 1e-6 * largest  # batches of other sizes may round otherwise


@pytest.mark.parametrize("name", ["output", "more_output"])
def test_one_wrong_number_is_found_in_either_array(case, tmp_path, name):
    file, arrays = case
    arrays[name] = arrays[name].copy()
    arrays[name][2, 7] += 0.5
    result = verify(file, write(tmp_path / "case.npz", arrays), "--json")
    assert result.exit_code == 1
    assert json.loads(result.output)["max_abs_diff"] == pytest.approx(0.5, abs=1e-5)


def test_a_number_that_is_none_is_not_equal(case, tmp_path):
    file, arrays = case
    arrays["output"] = np.full_like(arrays["output"], np.nan)
    assert verify(file, write(tmp_path / "case.npz", arrays)).exit_code == 1


def test_people_read_a_verdict(case, tmp_path):
    file, arrays = case
    result = verify(file, write(tmp_path / "case.npz", arrays))
    assert "the files of semgcn look the same: --as NAME" in result.output
    assert "equal: 0.0001 of the largest output is allowed" in result.output


def test_the_config_is_a_file_or_json_itself(case, tmp_path):
    file, arrays = case
    path = write(tmp_path / "case.npz", arrays)
    config = {"constructor": {"class": "LinearModel", "input_size": 32}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    for given in (json.dumps(config), tmp_path / "config.json"):
        result = verify(file, path, "--config", given, "--json")
        assert json.loads(result.output)["family"] == "semgcn"


def no_output(arrays):
    del arrays["output"]


def other_input(arrays):
    arrays["input"] = arrays["input"][:, :30]


def other_output(arrays):
    arrays["output"] = arrays["output"][:, :3]


WRONG = {
    "lacks 'output'": no_output,
    "does not take its input": other_input,
    "output is (6, 3), the network gives (6, 48)": other_output,
}


@pytest.mark.parametrize("expected", WRONG)
def test_a_case_that_does_not_fit_is_bad_use(case, tmp_path, expected):
    file, arrays = case
    WRONG[expected](arrays)
    result = verify(file, write(tmp_path / "case.npz", arrays))
    assert result.exit_code == 2
    assert expected in result.stderr and result.stderr.count("\n") == 1


@pytest.mark.parametrize("bad", ["nothing.npz", "w.pth", "{", '{"a": ', "[1]"])
def test_what_is_neither_arrays_nor_json_is_bad_use(case, tmp_path, bad):
    file, arrays = case
    good = write(tmp_path / "case.npz", arrays)
    args = (file, tmp_path / bad) if "." in bad else (file, good, "--config", bad)
    result = verify(*args)
    assert result.exit_code == 2 and result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
