"""Entries from a notebook or a file."""

from pathlib import Path

import pytest

from posezoo import registry
from posezoo.registry import PluginError, SpecError, find, load_plugin_file, register

FILE = """\
import posezoo
@posezoo.register("lifter", "{key}", summary="Flat.", licence="MIT")
class Flat:
    def __init__(self, *, width: int = 8) -> None:
        self.width = width
"""


@pytest.fixture(autouse=True)
def clean(install_plugin) -> None:
    """What a test registers is taken back."""


def enter(key: str = "flat", kind: str = "lifter"):
    return register(kind, key, summary="Flat.", licence="MIT", paper="arXiv:0000.00000")


def test_a_decorated_class_is_an_entry_and_stays_itself() -> None:
    @enter()
    class Flat:
        def __init__(self, *, width: int = 8) -> None:
            self.width = width

    entry = find("lifter", "flat")
    assert entry.load() is Flat
    assert entry.build(width="3").width == 3
    assert (entry.paper, entry.origin) == ("arXiv:0000.00000", __file__)


def test_running_a_cell_again_replaces_the_class() -> None:
    for width in (1, 2):

        @enter()
        class Flat:
            def __init__(self, *, width: int = width) -> None:
                self.width = width

    assert find("lifter", "flat").build().width == 2


@pytest.mark.parametrize("key", ["martinez", "resnet50"])
def test_taking_a_built_ins_key_names_both_origins(key: str) -> None:
    with pytest.raises(PluginError) as caught:
        enter(key)(lambda: None)
    assert f"'{key}' is claimed by both posezoo and {__file__}" in str(caught.value)


@pytest.mark.parametrize("key", ["Flat", "a-b", "", "9x", "a/b/c"])
def test_a_key_that_no_pipeline_could_name_is_refused(key: str) -> None:
    with pytest.raises(SpecError, match="expected lower-case letters"):
        enter(key)


def test_an_unknown_kind_is_refused_with_the_nearest() -> None:
    with pytest.raises(SpecError, match=r"unknown kind 'liter'\. Did you mean 'lifter'"):
        enter(kind="liter")


def test_a_file_registers_what_it_holds_once(tmp_path: Path) -> None:
    file = tmp_path / "my_lifter.py"
    file.write_text(FILE.format(key="flat"))
    (entry,) = load_plugin_file(file)
    assert (entry.key, entry.origin) == ("flat", str(file))
    (again,) = load_plugin_file(str(file))
    assert again.load() is entry.load()
    assert entry.build().width == 8


def test_a_file_that_failed_is_run_again_once_it_is_mended(tmp_path: Path) -> None:
    file = tmp_path / "my_lifter.py"
    file.write_text("raise RuntimeError('not yet')")
    with pytest.raises(PluginError):
        load_plugin_file(file)
    file.write_text(FILE.format(key="flat") + "# mended\n")
    assert [entry.key for entry in load_plugin_file(file)] == ["flat"]


def test_two_files_of_one_name_that_claim_one_key_are_both_named(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "my_lifter.py").write_text(FILE.format(key="flat"))
    load_plugin_file(tmp_path / "a/my_lifter.py")
    with pytest.raises(PluginError) as caught:
        load_plugin_file(tmp_path / "b/my_lifter.py")
    assert f"both {tmp_path}/a/my_lifter.py and {tmp_path}/b/my_lifter.py" in str(caught.value)


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("raise RuntimeError('no')", "failed: RuntimeError: no"),
        ("import sys; sys.exit(1)", "failed: SystemExit: 1"),
        ("def broken(:", "failed: SyntaxError"),
        ("x = 1", "registers nothing"),
    ],
)
def test_a_file_that_fails_says_so_and_leaves_nothing_behind(
    tmp_path: Path, code: str, cause: str
) -> None:
    file = tmp_path / "my_lifter.py"
    file.write_text(FILE.format(key="flat") + code if "x = 1" != code else code)
    with pytest.raises(PluginError) as caught:
        load_plugin_file(file)
    assert str(file) in str(caught.value)
    assert cause in str(caught.value)
    assert registry.entries(match="flat") == []


@pytest.mark.parametrize("name", ["missing.py", "folder", "text.txt"])
def test_a_path_that_is_no_python_file_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.txt").write_text("hello")
    with pytest.raises(PluginError, match=f"{name}: expected a Python file"):
        load_plugin_file(tmp_path / name)
