"""`posezoo weights import`, as it is typed."""

import pytest
import torch
from click.testing import CliRunner

from posezoo.cli import main
from posezoo.weights import store


def weights(*args):
    return CliRunner().invoke(main, ["weights", *(str(arg) for arg in args)])


@pytest.fixture
def file(tmp_path, perceptron):
    torch.save({"epoch": 3, "state_dict": perceptron()}, tmp_path / "best.pth.tar")
    return tmp_path / "best.pth.tar"


def test_an_import_says_what_it_found_whose_it_is_and_what_to_type_next(file):
    result = weights("import", file, "--as", "martinez", "--out", "baseline")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[2] == "23 matched, 0 missing, 0 unexpected"
    assert any(line.startswith("licence  code MIT; weights: MIT; trained") for line in lines)
    assert lines[-1].endswith("use: posezoo.load('baseline')")
    assert store.all_stored() == ["anylift.cmu", "anylift.cmu27", "baseline", "semgcn.cmu"]


@pytest.mark.parametrize("name", ["../up", "UP", "a b", "", ".hidden"])
def test_a_name_that_is_no_name_leaves_nothing(file, name, cache):
    result = weights("import", file, "--as", "martinez", "--out", name)
    assert result.exit_code == 2 and "expected lower-case letters" in result.stderr
    assert not cache.exists()


def test_a_refused_file_leaves_nothing_behind(tmp_path, cache):
    (tmp_path / "page.pth").write_text("<html>")
    result = weights("import", tmp_path / "page.pth", "--out", "mine")
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {tmp_path / 'page.pth'}: a web page, not weights")
    assert result.stderr.count("\n") == 1
    assert not cache.exists()


def test_trust_is_said_aloud(file):
    result = weights("import", file, "--as", "martinez", "--out", "mine", "--trust")
    assert result.exit_code == 0
    assert "runs whatever code it holds" in result.stderr
