import json
import sys
import types

import numpy as np
import pytest

from posezoo.data.convert.formats import FORMATS, Format
from posezoo.data.mocap.mocap_file import Recording, read_mocap
from posezoo.data.store.store_file import open_store


@pytest.fixture
def table(tmp_path):
    """Two frames of a person's 17 joints, 2D only."""
    path = tmp_path / "poses.json"
    px = (np.arange(2 * 17 * 2).reshape(2, 17, 2) + 10.0).tolist()
    lens = [100.0, 100.0, 50.0, 50.0, 0, 0, 0, 0, 0, 2]
    content = {"joints": "h36m17", "subject": "anna", "joints2d_px": px, "camera": lens}
    path.write_text(json.dumps(content))
    return path


def test_a_table_becomes_a_store_and_a_report(invoke, table, tmp_path):
    out, report = tmp_path / "mine.h5", tmp_path / "report.json"
    result = invoke("data", "convert", "--from", "own", table, out, "--report", report)
    assert result.exit_code == 0, result.output
    assert result.output.startswith(
        "kept 2 frames of 1 people in 1 sequences\njoints: h36m17 to h36m"
    )
    assert result.output.endswith(f"store: {out}  (posezoo data check {out})\n")
    assert open_store(out)["joints2d_px"][1, 16].tolist() == [10 + 66, 10 + 67]
    found = json.loads(report.read_text())
    assert (found["frames"], found["format"], found["remarks"]) == (2, "own", [])


def test_licence_credit_and_joints_go_into_the_store(invoke, table, tmp_path):
    out = tmp_path / "mine.h5"
    options = ("--licence", "CC0", "--credit", "anna", "--joints", "h36m16", "--every", 2)
    result = invoke("data", "convert", "--from", "own", table, out, *options)
    assert result.exit_code == 0, result.output
    assert open_store(out)["joints2d_px"].shape == (1, 16, 2)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--from", "ownn"), "error: unknown format 'ownn'. Did you mean 'own'?"),
        (("--from", "own", "--joints", "h36"), "error: unknown joint set 'h36'"),
        (("--from", "own", "--val", "ben"), "error: val names ben; the people are anna"),
        (("--from", "motionbert"), "add --trust"),
    ],
)
def test_mistakes_end_in_a_line_and_code_2(invoke, table, tmp_path, options, text):
    result = invoke("data", "convert", *options, table, tmp_path / "mine.h5")
    assert result.exit_code == 2
    assert text in result.output
    assert not (tmp_path / "mine.h5").exists()


def test_help_names_every_format(invoke):
    output = " ".join(invoke("data", "convert", "--help").output.split())
    assert all(name in output for name in FORMATS)
    assert output.count("posezoo data convert --from") >= 2


def test_motion_capture_becomes_a_motion_file(invoke, make_mocap, tmp_path, monkeypatch):
    walk = read_mocap(make_mocap(tmp_path / "made_poses17.h5", {"anna": 6}))[0].positions_mm

    def read(source, *, fps, report):
        report.files, report.frames, report.poses = 1, 9, 6
        report.dropped["solver jump"] += 3
        yield Recording("anna", "walk_01", "walk", fps, walk, np.arange(6))

    module = types.ModuleType("posezoo.data.convert.tiny_motion")
    module.read = read
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(FORMATS, "tiny", Format("tiny_motion", "for tests", motion=True))
    out, report = tmp_path / "anna_poses17.h5", tmp_path / "report.json"
    result = invoke(
        *("data", "convert", "--from", "tiny", tmp_path, out, "--fps", 5, "--report", report)
    )
    assert result.exit_code == 0, result.output
    assert result.output.splitlines() == [
        "1 files, 9 frames -> 6 poses",
        "taken 1 files as one person, anna: of several people, give each a folder",
        "dropped 3 frames: solver jump",
        f"motions: {out}",
    ]
    assert read_mocap(out)[0].fps == 5
    assert json.loads(report.read_text())["dropped"] == {"solver jump": 3}


def test_options_that_say_nothing_to_a_format_are_refused(invoke, table, tmp_path):
    result = invoke("data", "convert", "--from", "bvh", tmp_path, tmp_path / "x.h5", "--val", "a")
    assert result.exit_code == 2
    assert "--val says nothing to --from bvh" in result.output
    result = invoke("data", "convert", "--from", "own", table, tmp_path / "x.h5", "--fps", 5)
    assert "--fps says nothing to --from own" in result.output
    result = invoke("data", "convert", "--from", "coco", table, tmp_path / "x.h5", "--trust")
    assert "--trust says nothing to --from coco" in result.output
