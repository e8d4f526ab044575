"""`posezoo predict` as a user types it, on painted people and a plugin's detector."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

PLUGIN = Path(__file__).parents[1] / "inference" / "painted.py"


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def predict(invoke, painted, tmp_path, out):
    """Call the command with a run of the lifter `standing`, and people found by `marks`."""
    run = painted.save_standing(tmp_path / "standing")

    def call(*args):
        pipeline = ("--pipeline", run, "--detector", "marks")
        options = ("--out", out, "--plugin", PLUGIN, "--no-png", *pipeline)
        # What the test says comes last, and wins.
        return invoke("predict", *options, *args)

    return call


def people_of(path):
    return json.loads(path.read_text())["people"]


def test_a_picture_becomes_the_json_that_scripts_rely_on(predict, painted, tmp_path, out):
    photo = painted.save_photo(tmp_path / "photo.png", [(100, 50, 3000), (-700, 0, 4000)])
    result = predict(photo, "--focal", 700)
    assert result.exit_code == 0, result.output
    found = json.loads((out / "photo.json").read_text())
    assert found["source"] == str(photo)
    assert (found["width"], found["height"], found["pipeline"]) == (640, 480, "marks+standing")
    camera = found["camera"]
    assert [camera[key] for key in ("fx", "fy", "cx", "cy")] == [700, 700, 319.5, 239.5]
    assert camera["assumed"] is False and camera["distortion"] == [0, 0, 0, 0, 0]
    near, far = found["people"]
    assert (near["id"], far["id"]) == (0, 1)
    assert near["joint_set"] == near["detected"]["joint_set"] == "h36m17"
    np.testing.assert_allclose(near["joints3d_mm"], painted.POSE_MM, atol=1e-4)
    np.testing.assert_allclose(near["root_mm"], (100, 50, 3000), atol=1)
    np.testing.assert_allclose(far["root_mm"], (-700, 0, 4000), atol=1)
    np.testing.assert_allclose(near["joints2d_px"], painted.project((100, 50, 3000)), atol=0.01)
    assert near["sigma_mm"] is None and near["warnings"] == []


def test_an_assumed_camera_is_said_aloud_and_the_place_unknown(predict, painted, tmp_path, out):
    result = predict(painted.save_photo(tmp_path / "photo.png"))
    assert "focal length assumed as 1.2 x the longer side (768 px)" in result.output
    assert people_of(out / "photo.json")[0]["root_mm"] is None


def test_a_telephone_s_turned_jpeg_is_predicted_upright(predict, painted, tmp_path, out):
    upright = painted.paint([painted.project((0, 0, 3000))])
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "phone.png"
    Image.fromarray(np.ascontiguousarray(np.rot90(upright))).save(path, exif=exif)
    assert predict(path, "--focal", 700).exit_code == 0
    (person,) = people_of(out / "phone.json")
    np.testing.assert_allclose(person["joints2d_px"], painted.project((0, 0, 3000)), atol=1)
    np.testing.assert_allclose(person["root_mm"], (0, 0, 3000), atol=12)


def test_fov_and_camera_files_are_the_same_camera(predict, painted, tmp_path, out):
    photo = painted.save_photo(tmp_path / "photo.png")
    fov = 2 * np.degrees(np.arctan(320 / 700))
    assert predict(photo, "--fov", fov).exit_code == 0
    first = people_of(out / "photo.json")[0]["root_mm"]
    assert predict(photo, "--camera", out / "photo.json", "--restart").exit_code == 0
    np.testing.assert_allclose(people_of(out / "photo.json")[0]["root_mm"], first, atol=1e-3)
    np.testing.assert_allclose(first, (0, 0, 3000), atol=0.1)


def test_every_format_is_written_beside_the_json(predict, painted, tmp_path, out):
    photo = painted.save_photo(tmp_path / "photo.png", [(100, 50, 3000), (-700, 0, 4000)])
    result = predict(photo, "--json", "--csv", "--npz", "--bvh", "--trc", "--png")
    assert result.exit_code == 0, result.output
    assert {path.name for path in out.iterdir()} == {
        "photo.json", "photo.csv", "photo.npz", "photo_0.bvh", "photo_1.bvh", "photo_0.trc",
        "photo_1.trc", "photo.png", ".predicted.jsonl",
    }  # fmt: skip
    assert Image.open(out / "photo.png").width > 600


def test_a_video_is_a_json_of_frames_with_ids(predict, painted, tmp_path, out):
    pytest.importorskip("av")
    places = [[(x, 0, 3000), (600 - x, 0, 4200)] for x in range(-600, 600, 100)]
    frames = [painted.paint([painted.project(root) for root in each]) for each in places]
    path = painted.save_video(tmp_path / "walk.mov", frames)
    result = predict(path, "--focal", 700, "--bvh", "--video", "--smooth", "savgol")
    assert result.exit_code == 0, result.output
    assert "walk.mov: 12 frames; 2 people" in result.output
    found = json.loads((out / "walk.json").read_text())
    assert found["fps"] == pytest.approx(25) and len(found["frames"]) == 12
    for number, frame in enumerate(found["frames"]):
        assert frame["frame"] == number
        assert sorted(person["id"] for person in frame["people"]) == [0, 1]
    names = {path.name for path in out.iterdir()}
    assert {"walk_0.bvh", "walk_1.bvh", "walk.mp4"} <= names


@pytest.fixture
def folder(painted, tmp_path):
    """Six photographs, one of them of nobody and one broken."""
    for number in range(4):
        painted.save_photo(tmp_path / "photos" / f"{number}.png", [(100 * number, 0, 3000)])
    painted.save_photo(tmp_path / "photos" / "nobody.png", [])
    (tmp_path / "photos" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    return tmp_path / "photos"


@pytest.mark.parametrize("batch", [1, 3, 16])
@pytest.mark.parametrize("workers", [0, 2])
def test_a_broken_file_is_reported_and_the_rest_goes_on(predict, folder, out, batch, workers):
    result = predict(folder, "--batch", batch, "--workers", workers)
    assert result.exit_code == 0
    assert result.output.count("error: ") == 1 and "broken.jpg: is damaged (" in result.output
    assert "nobody.png: nobody found" in result.output
    assert "5 done, 4 people, 1 failed" in result.output
    found = {path.stem: len(people_of(path)) for path in out.glob("*.json")}
    assert found == {"0": 1, "1": 1, "2": 1, "3": 1, "nobody": 0}


def test_the_same_command_goes_on_where_it_was_broken_off(predict, folder, painted, out):
    predict(folder)
    (out / "2.json").unlink()  # as if it had never been written
    painted.save_photo(folder / "3.png", [(0, 0, 3000), (900, 0, 4000)])  # another picture
    before = {path.name: path.stat().st_mtime_ns for path in out.glob("*.json")}
    result = predict(folder)
    assert "5 done, 5 people, 3 were done before" in result.output
    after = {path.name: path.stat().st_mtime_ns for path in out.glob("*.json")}
    assert {name for name in after if after[name] != before.get(name)} == {"2.json", "3.json"}


@pytest.mark.parametrize("change", [["--focal", 900], ["--no-flip"], ["--restart"], ["--csv"]])
def test_with_other_settings_everything_is_done_again(predict, folder, change):
    predict(folder)
    result = predict(folder, *change)
    assert "done before" not in result.output
    assert "5 done, 4 people" in result.output


def test_a_camera_that_differs_in_a_thousandth_of_a_px_is_another(predict, folder, tmp_path):
    for cx in (319.5, 319.501):
        camera = {"fx": 700, "fy": 700, "cx": cx, "cy": 239.5}
        (tmp_path / "camera.json").write_text(json.dumps(camera))
        assert "done before" not in predict(folder, "--camera", tmp_path / "camera.json").output


def test_a_format_that_cannot_hold_it_costs_no_other(predict, folder, out, monkeypatch):
    from posezoo.inference import results

    def refuse(track, path):
        raise ValueError(f"{path}: cannot hold this")

    monkeypatch.setitem(results._BODIES, "bvh", refuse)
    result = predict(folder, "--bvh")
    assert result.exit_code == 0
    assert result.output.count("cannot hold this") == 4
    assert len(list(out.glob("*.json"))) == 5


def test_names_come_from_a_list_too(invoke, painted, tmp_path, out):
    from click.testing import CliRunner

    from posezoo.cli import main

    photo = painted.save_photo(tmp_path / "photo.png")
    run = painted.save_standing(tmp_path / "standing")
    args = ["predict", "-", "--out", out, "--pipeline", run, "--detector", "marks", "--no-png"]
    result = CliRunner().invoke(main, [str(each) for each in args], input=f"{photo}\n\n")
    assert result.exit_code == 0, result.output
    assert (out / "photo.json").is_file()


def test_the_exit_code_says_whether_anybody_was_found(predict, painted, folder, tmp_path):
    assert predict(folder / "0.png").exit_code == 0
    assert predict(folder / "nobody.png").exit_code == 1
    assert predict(folder / "broken.jpg").exit_code == 2
    assert predict(folder / "broken.jpg", folder / "nobody.png").exit_code == 1
    assert predict(folder / "nobody.png").exit_code == 1  # done before


def bad_inputs(tmp_path):
    """What goes wrong: arguments, and words of the one line that says so."""
    files = {
        "empty.jpg": b"", "text.jpg": b"I am a text. " * 20, "notes.txt": b"[]",
        "empty.mp4": b"", "text.mp4": b"I am a text. " * 20, "boxes.json": b"[1]",
        "camera.json": b"{", "phone.heic": b"ftypheic", "taken": b"",
    }  # fmt: skip
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    rows = np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)
    Image.fromarray(rows).save(tmp_path / "whole.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "whole.jpg").read_bytes()[:9000])
    Image.new("RGB", (1, 1)).save(tmp_path / "dot.png")
    Image.new("1", (30_000, 20)).save(tmp_path / "wide.png")
    (tmp_path / "hollow").mkdir()
    whole = tmp_path / "whole.jpg"
    return {
        "no file": ([tmp_path / "none.jpg"], "none.jpg: no such file"),
        "an empty file": ([tmp_path / "empty.jpg"], "empty.jpg: is empty"),
        "a text": ([tmp_path / "text.jpg"], "text.jpg: is not a picture"),
        "another text": ([tmp_path / "notes.txt"], "notes.txt: is not a picture"),
        "a cut picture": ([tmp_path / "cut.jpg"], "cut.jpg: is damaged (image file is truncated"),
        "a dot": ([tmp_path / "dot.png"], "dot.png: is 1 x 1 px, too small"),
        "a wide one": ([tmp_path / "wide.png"], "wide.png: is 30000 x 20 px, too large"),
        "HEIC": ([tmp_path / "phone.heic"], "phone.heic: HEIC pictures are not read"),
        "an empty video": ([tmp_path / "empty.mp4"], "empty.mp4: is empty"),
        "no video": ([tmp_path / "text.mp4"], "text.mp4: is not a video"),
        "a hollow folder": ([tmp_path / "hollow"], "hollow: holds no pictures and no videos"),
        "a glob of nothing": ([f"{tmp_path}/*.gif"], "*.gif: no file fits it"),
        "a negative focal length": ([whole, "--focal", -3], "expected px above 0"),
        "a wide view": ([whole, "--fov", 200], "below 180"),
        "two cameras": ([whole, "--fov", 60, "--focal", 500], "not several"),
        "no camera file": ([whole, "--camera", tmp_path / "no.json"], "no such camera file"),
        "a bad camera": ([whole, "--camera", tmp_path / "camera.json"], "expected a camera in"),
        "a bad box": ([whole, "--box", "1,2,3"], "expected x,y,width,height"),
        "bad boxes": ([whole, "--boxes", tmp_path / "boxes.json"], "boxes.json"),
        "a file as --out": ([whole, "--out", tmp_path / "taken"], "is a file, expected a folder"),
        "an unknown pipeline": ([whole, "--pipeline", "martinz"], "martinz"),
        "an unknown detector": ([whole, "--detector", "mark"], "Did you mean 'marks'"),
        "a device": ([whole, "--device", "cuda"], "torch finds no GPU"),
        "a run that is none": ([whole, "--pipeline", tmp_path / "hollow"], "no checkpoint here"),
        "over itself": ([tmp_path / "dot.png", "--png", "--out", tmp_path], "would overwrite"),
    }  # fmt: skip


def test_bad_inputs_are_one_clear_line_each_and_nothing_is_lost(predict, tmp_path, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    cases = bad_inputs(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    assert len(cases) >= 20
    for name, (args, words) in cases.items():
        result = predict(*args)
        lines = [line for line in result.output.splitlines() if "error: " in line]
        assert result.exit_code == 2, (name, result.output)
        assert len(lines) == 1 and words in lines[0], (name, result.output)
        assert "Traceback" not in result.output
    for path, content in before.items():
        assert path.read_bytes() == content


def test_an_unwritable_folder_is_one_line(predict, painted, tmp_path, monkeypatch):
    photo = painted.save_photo(tmp_path / "photo.png")

    def refuse(*args, **options):
        raise PermissionError(13, "Permission denied", str(tmp_path / "out"))

    monkeypatch.setattr(Path, "mkdir", refuse)
    result = predict(photo)
    assert result.exit_code == 2
    assert "out: Permission denied" in result.output


def test_missing_weights_are_offered_in_a_line_and_fetched_on_a_word(
    predict, painted, tmp_path, monkeypatch
):
    from posezoo.weights import get, store

    monkeypatch.setenv("POSEZOO_CACHE", str(tmp_path / "cache"))
    photo = painted.save_photo(tmp_path / "photo.png")
    asked = predict(photo, "--detector", "blazepose")
    assert asked.exit_code == 2
    line = "'blazepose' needs its weights (36 MB from PyPI, Apache-2.0)"
    assert f"{line}. Type: posezoo weights get blazepose; or add --yes" in asked.output

    def fetch(name):
        fetched.append(name)
        return store.save_weights(name, {}, {"spec": "blazepose"})

    fetched = []
    monkeypatch.setattr(get, "get_weights", fetch)
    given = predict(photo, "--detector", "blazepose", "--yes")
    assert fetched == ["blazepose"]
    assert "weights blazepose: Apache-2.0, from Google MediaPipe" in given.output
