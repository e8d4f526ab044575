"""Files are there whole or not at all, and nothing is left beside them."""

import ast
from pathlib import Path

import pytest

from posezoo import whole_files
from posezoo.whole_files import folder_beside, held, require_free, write_atomically, written_beside

PACKAGE = Path(whole_files.__file__).parent
# What writes under another name first, by a protocol of its own; or to nowhere.
OWN_WAY = {
    "whole_files.py",
    "cli/devices.py",
    "data/store/add_detection.py",
    "data/store/store_writer.py",
    "sweep/study.py",
    "training/checkpoint.py",
    "weights/hub.py",
}


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_the_old_one_until_it_is_the_new_one(tmp_path):
    file = tmp_path / "a.txt"
    write_atomically(file, b"old")
    with written_beside(file) as beside:
        beside.write_text("new")
        assert file.read_text() == "old"
        assert beside.suffix == ".txt"  # libraries tell the format by it
    assert file.read_text() == "new"
    assert names(tmp_path) == ["a.txt"]


def test_what_goes_wrong_leaves_the_old_one_and_nothing_beside(tmp_path):
    file = tmp_path / "a.txt"
    write_atomically(file, b"old")
    with pytest.raises(ValueError, match="why"), written_beside(file) as beside:
        beside.write_text("half")
        raise ValueError("why")
    assert file.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_what_a_kill_has_left_is_taken_by_the_next(tmp_path):
    for name in (".a.new.txt", ".a.txt.lock"):
        (tmp_path / name).write_text("half of someth")
    with written_beside(tmp_path / "a.txt") as beside:
        beside.write_text("all of it")
    assert names(tmp_path) == ["a.txt"]
    (tmp_path / ".new.new").mkdir()
    (tmp_path / ".new.new" / "half").touch()
    with folder_beside(tmp_path / "new") as beside:
        (beside / "whole").touch()
    assert names(tmp_path) == ["a.txt", "new"]
    assert names(tmp_path / "new") == ["whole"]


def test_a_file_that_is_there_is_refused_and_cleared_up_around(tmp_path):
    for name in ("a.txt", ".a.new.txt", ".a.txt.lock"):
        (tmp_path / name).touch()
    with pytest.raises(ValueError, match=r"a\.txt: exists already; remove it first or take"):
        require_free(tmp_path / "a.txt")
    assert names(tmp_path) == ["a.txt"]


def test_two_do_not_write_one_file(tmp_path):
    file = tmp_path / "a.txt"
    with written_beside(file) as beside:
        beside.write_text("of the first")
        with pytest.raises(ValueError, match=r"a\.txt: another process is writing it"), held(file):
            pass
    assert file.read_text() == "of the first"


def test_only_whole_files_are_written():
    """`write_text`, `write_bytes` and `open("w")` leave half a file where they are cut."""
    wrong = []
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if name not in OWN_WAY and isinstance(node, ast.Call) and _writes(node):
                wrong.append(f"{name}:{node.lineno}")
    assert not wrong, f"{wrong}: write them by posezoo.whole_files"


def _writes(call):
    called = (
        call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    )
    mode = call.args[0].value if call.args and isinstance(call.args[0], ast.Constant) else ""
    return called in ("write_text", "write_bytes") or (
        called == "open" and isinstance(mode, str) and set(mode) & set("wx")
    )


@pytest.mark.parametrize("code", ["p.write_text(x)", "p.open('w')", "p.open('xb')"])
def test_that_test_would_see_it(code):
    assert _writes(ast.parse(code).body[0].value)
