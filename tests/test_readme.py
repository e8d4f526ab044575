"""The README keeps its word: its zoo table, its commands, the files it names."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks import zoo
from posezoo.cli import main
from posezoo.weights.store import all_stored

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_zoo_table_s_lines_are_the_manifest_s():
    """A new entry may wait for the next time that the table is written."""
    found = README.partition(zoo.BEGIN)[2].partition(zoo.END)[0].splitlines()
    lines = zoo.readme_table().splitlines()
    again = "run: python -m benchmarks.zoo --tables"
    assert found == [line for line in lines if line in found], again
    assert len(found) > 2


def test_every_command_of_the_readme_exists():
    commands = re.findall(r"^(?:\$ |.*&& )?(?:\.venv/bin/)?posezoo (\w+)", README, re.M)
    assert len(commands) > 10
    for command in commands:
        assert command in main.list_commands(None)


def test_the_python_of_the_readme_runs_as_pasted_and_prints_what_it_says(capsys):
    (code,) = re.findall(r"^```python\n(.*?)^```", README, re.M | re.S)
    exec(code, {})
    said = re.findall(r"print\(.*: (torch\.Size.*)$", code, re.M)
    assert capsys.readouterr().out.splitlines() == said


def test_what_the_readme_shows_of_listing_and_writing_is_what_is_printed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shown = re.findall(r"^\$ posezoo ((?:list|new) .*)\n((?:(?!\$|```).*\n)+)", README, re.M)
    assert len(shown) == 2
    for arguments, printed in shown:
        result = CliRunner().invoke(main, arguments.split(), terminal_width=200)
        said = [" ".join(line.split()) for line in result.output.splitlines()]
        stale = [line for line in printed.splitlines() if " ".join(line.split()) not in said]
        assert not stale, f"{arguments}: paste its output again; {stale}"  # a new entry may lack


@pytest.mark.skipif("blazepose" not in all_stored(), reason="posezoo weights get blazepose")
def test_what_the_readme_shows_of_the_photograph_is_printed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    arguments, printed = re.search(r"^\$ posezoo (predict .*)\n([^`]+)```", README, re.M).groups()
    result = CliRunner().invoke(main, arguments.split(), terminal_width=200)
    assert sorted(result.output.splitlines()) == sorted(printed.splitlines())
    assert {path.name for path in (tmp_path / "results").glob("lab*")} == {
        "lab_view.json",
        "lab_view.png",
    }


def test_every_pip_line_is_constrained():
    lines = [line for line in README.splitlines() if re.search(r"bin/pip install", line)]
    assert len(lines) >= 2
    assert all("-c constraints.txt" in line for line in lines)


def test_every_file_that_the_documents_link_to_exists():
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_newcomers_are_sent_to_files_that_exist():
    page = (ROOT / "docs" / "where.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:posezoo|kernels|benchmarks|tests)/[\w./]*?)`", page)
    missing = {path for path in named if "NAME" not in path and not (ROOT / path).exists()}
    assert missing <= {"tests/detectors/", "tests/inference/"}  # with their first tests
    assert len(named) > 20


def test_ci_runs_the_readme_s_test_command():
    command = re.search(r"\.venv/bin/(pytest .*)$", README, re.M).group(1)
    assert f"$bin/{command}" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
