"""`posezoo weights`: list, info and get, on an empty cache and on one that holds something."""

import errno
import json
import os

import pytest
import torch

from posezoo.weights import get, store


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("POSEZOO_CACHE", str(tmp_path))


def test_what_is_known_is_listed_with_the_command_that_gets_it(invoke):
    out = invoke("weights", "list").stdout
    rows = [" ".join(line.split()) for line in out.splitlines()]
    assert "blazepose blazepose Apache-2.0 not here: posezoo weights get blazepose" in rows
    assert any(row.startswith("semgcn.cmu ") for row in rows)  # comes with the package


def test_a_list_and_a_card_are_json_too(invoke):
    store.save_weights("mine", {"a": torch.zeros(2)}, {"licence": "MIT", "spec": "martinez"})
    _anylift, _clips, blazepose, mine, _semgcn = json.loads(
        invoke("weights", "list", "--json").stdout
    )
    assert (blazepose["path"], blazepose["joint_set"]) == (None, "blazepose33")
    assert (mine["licence"], mine["spec"]) == ("MIT", "martinez")
    assert json.loads(invoke("weights", "info", "mine", "--json").stdout) == mine
    assert mine["sha256"] in invoke("weights", "info", "mine").stdout


def test_an_unknown_name_is_one_line(invoke):
    result = invoke("weights", "info", "blazpose")
    assert result.exit_code == 2
    assert result.stderr == (
        "error: unknown weights 'blazpose'. Did you mean 'blazepose'? See: posezoo weights list\n"
    )


def test_get_prints_licence_and_source(invoke, monkeypatch):
    def fetched(name, *, wheel):
        return store.save_weights(name, {"a": torch.zeros(2)}, {})

    monkeypatch.setattr(get, "get_weights", fetched)
    out = invoke("weights", "get", "blazepose").stdout
    assert out.endswith(
        "licence Apache-2.0; source: Google MediaPipe: wheel mediapipe==0.10.21 of PyPI\n"
    )


def test_a_wheel_that_is_not_there_is_one_line(invoke, tmp_path):
    result = invoke("weights", "get", "blazepose", "--wheel", tmp_path / "no.whl")
    assert result.exit_code == 2
    assert result.stderr == f"error: {tmp_path / 'no.whl'}: {os.strerror(errno.ENOENT)}\n"
