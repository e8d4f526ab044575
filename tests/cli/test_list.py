"""`posezoo list`."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from posezoo import registry
from posezoo.cli import main


def invoke(*args: str) -> Result:
    return CliRunner().invoke(main, ["list", *args])


def test_the_table_has_a_line_for_every_entry_and_lines_do_not_fold_in_a_pipe() -> None:
    lines = invoke().stdout.splitlines()
    assert lines[0].split() == ["kind", "key", "summary", "origin"]
    keys = [line.split()[1] for line in lines[1:]]
    assert keys == [entry.key for entry in registry.entries()]
    first = keys.index("resnet18")
    assert keys[first : first + 5] == ["resnet18", "resnet34", "resnet50", "resnet101", "resnet152"]
    assert all(line == line.rstrip() for line in lines)


def test_json_is_a_list_of_objects() -> None:
    found = {each["key"]: each for each in json.loads(invoke("--kind", "lifter", "--json").stdout)}
    martinez, tcn = found["martinez"], found["tcn"]
    assert (martinez["frames"], tcn["frames"]) == (1, 27)
    assert martinez["kind"] == "lifter"
    assert martinez["key"] == "martinez"
    assert martinez["origin"] == "posezoo"
    assert martinez["paper"] == "arXiv:1705.03098"
    assert martinez["frames"] == 1
    assert martinez["summary"]


def test_a_pattern_picks_keys() -> None:
    found = json.loads(invoke("resnet1*", "--json").stdout)
    assert [entry["key"] for entry in found] == ["resnet18", "resnet101", "resnet152"]


def test_nothing_found_is_an_empty_list() -> None:
    assert json.loads(invoke("nothing*", "--json").stdout) == []
    assert invoke("nothing*").exit_code == 0


def test_an_unknown_kind_is_a_usage_error_that_lists_the_kinds() -> None:
    result = invoke("--kind", "liter")
    assert result.exit_code == 2
    assert "'lifter'" in result.stderr


def test_a_file_given_with_plugin_is_listed(tmp_path: Path, install_plugin) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "import posezoo\n"
        "@posezoo.register('lifter', 'mine', summary='[red]Mine[/] [/]', licence='MIT')\n"
        "class Mine: ...\n"
    )
    result = invoke("mine", "--plugin", str(file))
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[1].split() == [
        "lifter",
        "mine",
        "[red]Mine[/]",
        "[/]",
        str(file),
    ]


def test_an_installed_plugin_is_listed_with_its_distribution(install_plugin) -> None:
    install_plugin()
    (entry,) = json.loads(invoke("acme/*", "--json").stdout)
    assert (entry["key"], entry["origin"]) == ("acme/graphlift", "acme-pose-acme 1.2")


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_a_broken_plugin_is_reported_on_stderr_and_the_rest_is_listed(
    install_plugin, as_json: list[str]
) -> None:
    install_plugin(stanzas="[lifter.graphlift]\n")
    result = invoke(*as_json)
    assert result.exit_code == 0
    assert "martinez" in result.stdout
    assert "graphlift" not in result.stdout
    assert "warning: plugin left out: acme-pose-acme 1.2: " in result.stderr
    assert "missing: entry, summary, licence" in result.stderr
