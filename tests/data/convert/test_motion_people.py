from pathlib import Path

import pytest

from posezoo.data.convert.motion import person


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("cmu/06_01.bvh", "S06"),
        ("lafan1/walk1_subject2.bvh", "subject2"),
        ("anna/walk_fast.bvh", "anna"),
        ("07/walk.amc", "S07"),
    ],
)
def test_who_moves_stands_in_the_files_name_or_is_the_folder(file, name):
    assert person(Path(file)) == name


def test_a_body_of_ones_own_is_the_person():
    assert person(Path("07/walk.amc"), Path("07/ben.asf")) == "ben"


@pytest.mark.parametrize("file", ["walk.bvh", "./walk.bvh", "../anna/walk.bvh"])
def test_a_file_in_the_folder_one_stands_in_has_that_folders_name(tmp_path, monkeypatch, file):
    (tmp_path / "anna").mkdir()
    monkeypatch.chdir(tmp_path / "anna")
    assert person(Path(file)) == "anna"
