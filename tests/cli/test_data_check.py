"""`posezoo data check`, `info` and `show`: text, JSON and exit codes."""

from __future__ import annotations

import json
import re

import h5py
import pytest

from posezoo.data.store.store_writer import export
from posezoo.data.synthetic.synthetic import Synthetic


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("people") / "people.h5"
    people = Synthetic(split="all", image_size=64, people=5, items=12)
    export(people, path, 12, licence="CC0-1.0", credit="nobody real")
    return path


@pytest.fixture
def broken(store, tmp_path):
    path = tmp_path / "broken.h5"
    path.write_bytes(store.read_bytes())
    with h5py.File(path, "r+") as file:
        file["joints3d_mm"][...] = file["joints3d_mm"][()] / 1000
        file["root_mm"][...] = file["root_mm"][()] / 1000
    return path


def test_a_sound_store_ends_with_0_and_a_table(invoke, store):
    result = invoke("data", "check", str(store))
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[1].split()[:4] == ["camera", "frames", "median", "p95"]
    assert result.output.splitlines()[-1].endswith("12 poses, no fault found")


def test_a_fault_ends_with_1_its_name_and_its_cure(invoke, broken):
    result = invoke("data", "check", str(broken))
    assert result.exit_code == 1
    assert "FAULT metres-for-millimetres" in result.output
    assert "cure: multiply by 1000" in result.output


def test_json_holds_histogram_and_findings(invoke, broken, store):
    found = json.loads(invoke("data", "check", str(broken), "--json").output)
    assert not found["sound"]
    assert {each["fault"] for each in found["findings"]} == {"metres-for-millimetres"}
    sound = json.loads(invoke("data", "check", str(store), "--json").output)
    assert sound["sound"]
    assert sum(sound["views"][0]["histogram"]) == sound["poses"] == 12
    assert len(sound["bins_px"]) == len(sound["views"][0]["histogram"]) == 7
    assert len(sound["sequences"]) == 12


def test_a_file_that_is_no_store_ends_with_2(invoke, tmp_path):
    (tmp_path / "page.h5").write_text("<html>")
    result = invoke("data", "check", str(tmp_path / "page.h5"))
    assert result.exit_code == 2
    assert "not a whole HDF5 file" in result.stderr


def test_info_counts_people_and_names_the_licence(invoke, store):
    lines = invoke("data", "info", str(store)).output.splitlines()
    table = {line[:11].strip(): line[11:].strip() for line in lines}
    assert table["poses"] == "12 in 12 sequences"
    assert table["joint set"] == "h36m17 (17 joints)"
    assert table["labelled"] == "2D 100.0%, 3D 100.0% of the joints"
    assert table["pictures"] == "12 of 64 x 64 px"
    assert table["licence"] == "CC0-1.0"
    assert table["credit"] == "nobody real"
    assert re.fullmatch(
        r"1\d{3} to 1\d{3} mm from ankle to head .* up to \d+\.\d mm .*", table["bodies"]
    )
    found = json.loads(invoke("data", "info", str(store), "--json").output)
    assert sum(found["subject"].values()) == found["poses"] == 12
    assert found["bytes"] == store.stat().st_size


def test_show_writes_a_sheet(invoke, store, tmp_path):
    out = tmp_path / "sheet.png"
    result = invoke("data", "show", str(store), "--out", str(out), "--items", "2")
    assert result.exit_code == 0, result.output
    assert "2 poses" in result.output
    assert out.stat().st_size > 10_000


@pytest.mark.parametrize("command", ["check", "info", "show"])
def test_help_ends_in_two_examples(invoke, command):
    lines = invoke("data", command, "--help").output.rstrip().splitlines()
    assert all(line.strip().startswith(f"posezoo data {command} ") for line in lines[-2:])
