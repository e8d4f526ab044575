"""The command line as a whole: help, laziness, and what a mistake looks like."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from posezoo.cli import main
from posezoo.cli.data import data

COMMANDS = main.list_commands(click.Context(main))
DATA_COMMANDS = [f"data {name}" for name in data.list_commands(click.Context(data))]


def invoke(*args: str, **env: str) -> Result:
    return CliRunner().invoke(main, args, env=env, prog_name="posezoo")


@pytest.mark.parametrize("command", ["", *COMMANDS, *DATA_COMMANDS])
def test_every_help_ends_in_examples_of_its_command(command: str) -> None:
    result = invoke(*command.split(), "--help")
    assert result.exit_code == 0, result.output
    examples = result.output.partition("Examples:\n")[2].partition("\n\n")[0]
    lines = [line.strip() for line in examples.replace("\\\n", " ").splitlines() if line.strip()]
    assert len(lines) >= 2
    assert all(line.startswith(("posezoo ", "cd ")) for line in lines)
    assert any(f"posezoo {command}".strip() in line for line in lines)  # what makes its input too


@pytest.mark.parametrize("command", ["", "list", "info", "env"])
def test_the_examples_run(command: str) -> None:
    for line in invoke(*command.split(), "--help").output.rstrip().splitlines()[-2:]:
        result = invoke(*line.replace("'", "").split()[1:])
        assert result.exit_code == 0, result.output


def test_help_and_listing_into_a_pipe_import_neither_torch_nor_numpy_nor_rich() -> None:
    code = (
        "import sys; from posezoo.cli import main\n"
        "main({args}, standalone_mode=False)\n"
        "print([m for m in ('torch', 'numpy', 'rich') if m in sys.modules], file=sys.stderr)"
    )
    for args in (["list"], ["list", "--json"], ["--help"]):
        command = [sys.executable, "-c", code.format(args=args)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        assert done.stderr.strip() == "[]"


def test_no_command_imports_torch_before_it_is_called() -> None:
    code = (
        "import click, sys; from posezoo.cli import main; c = click.Context(main)\n"
        "assert all(main.get_command(c, name) for name in main.list_commands(c))\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["info", "martinz"], "error: unknown key 'martinz'. Did you mean 'martinez'?"),
        (["info", "resnet50+martinez"], "error: 'resnet50' is a backbone, and you left out the"),
        (["list", "--plugin", "nowhere.py"], "nowhere.py: expected a Python file"),
    ],
)
def test_a_users_mistake_is_one_line_on_stderr_and_exit_code_2(
    args: list[str], message: str
) -> None:
    result = invoke(*args)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(("args", "env"), [(["--debug"], {}), ([], {"POSEZOO_DEBUG": "1"})])
def test_debugging_shows_the_traceback(args: list[str], env: dict[str, str]) -> None:
    result = invoke(*args, "info", "martinz", **env)
    assert result.exit_code == 1
    assert type(result.exception).__name__ == "SpecError"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (FileNotFoundError(2, "No such file or directory", "/a/b.h5"), "/a/b.h5: No such file"),
        (ValueError("one\n  two"), "error: one; two"),
        (ModuleNotFoundError("No module named 'x'"), "error: No module named 'x'"),
        (ValueError(), "error: ValueError"),
    ],
)
def test_errors_of_the_library_become_one_line(
    error: Exception, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: object) -> None:
        raise error

    monkeypatch.setattr("posezoo.registry.entries", fail)
    result = invoke("list")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert line in result.stderr


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("posezoo.registry.entries", lambda **_: 1 / 0)
    assert isinstance(invoke("list").exception, ZeroDivisionError)


def test_an_unknown_command_is_a_usage_error() -> None:
    result = invoke("lst")
    assert result.exit_code == 2
    assert "No such command 'lst'" in result.stderr


def test_the_version_is_shown() -> None:
    assert invoke("--version").output.startswith("posezoo 0")


words = st.text(max_size=12) | st.sampled_from(
    ["martinez", "--kind", "lifter", "-", "--json", "a-b"]
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(["list", "info"]), st.lists(words, max_size=4))
def test_no_arguments_end_in_a_traceback(command: str, args: list[str]) -> None:
    result = invoke(command, *args)
    assert result.exit_code in (0, 2), (args, result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit)
