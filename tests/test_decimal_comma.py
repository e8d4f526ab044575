"""Where numbers are written 0,5, files still have a point, and are read as they were written."""

import locale

import pytest

from benchmarks.kill_commands import COMMANDS, contents
from posezoo.cli import main

WORDS = {
    "lift": ["--bvh"],  # beside csv, trc, html and json
    "data convert, a table": [],
    "train": ["--steps", "2", "--set", "lr=0.0005"],  # toml and json; numbers are typed, too
}


@pytest.fixture
def comma():
    before = locale.setlocale(locale.LC_ALL)
    for name in ("de_DE.UTF-8", "fr_FR.UTF-8", "ru_RU.UTF-8", "pt_BR.UTF-8"):
        try:
            locale.setlocale(locale.LC_ALL, name)
            break
        except locale.Error:
            continue
    else:
        pytest.skip("no locale with a decimal comma is installed")
    assert f"{0.5:n}" == "0,5"
    yield lambda: locale.setlocale(locale.LC_ALL, before)
    locale.setlocale(locale.LC_ALL, before)


def run(words):
    assert not main(words, prog_name="posezoo", standalone_mode=False)


@pytest.mark.parametrize("name", WORDS)
def test_what_a_command_writes_is_the_same_to_the_byte(name, tmp_path, comma):
    command, source = COMMANDS[name], tmp_path / "source"
    source.mkdir()
    command.prepare(source)
    found = []
    for _ in range(2):  # first with the comma
        out = tmp_path / "out"
        if command.in_folder:
            out.mkdir()
        run([*command.words(source, out), *WORDS[name]])
        found.append(contents(out))
        if name == "train":
            run(["eval", str(out)])
        out.rename(tmp_path / f"out{len(found)}")
        comma()
    assert found[0] == found[1]
    assert found[0]
