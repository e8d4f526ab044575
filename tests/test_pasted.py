"""Whatever is shown to be typed is pasted: examples of every --help, commands and Python of pages.

Each help, and each page, is pasted from top to bottom in a folder of its own; that of a help holds
what `posezoo data sample --out .` writes. What is not pasted says so where its reader sees it: in a
comment behind the command (`# 5 minutes`), or behind a fence (no-run="needs others' files"). Such
commands must at least be known, with all their words. Other programs (pip, git) are for .ci/run.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from posezoo.cli import main
from posezoo.sample.write import write_sample

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
# What a mark may say: it costs what a test has not got.
REASONS = ("minute", "hour", "fetches", "needs", "serves", "tests/")
MOST_MARKED = {"--help": 30, "pages": 65}

_FENCE = re.compile(r"^```(\w*)([^\n]*)\n(.*?)^```", re.M | re.S)
_MARK = re.compile(r'no-run="([^"]+)"')


@dataclass(frozen=True)
class Shown:
    """A command, or a block of Python, and why it is not pasted."""

    text: str
    python: bool = False
    reason: str = ""

    @property
    def ours(self) -> bool:
        """Whether it is for posezoo, and not for another program."""
        return self.python or re.search(r"^(cd \S+ && )?posezoo ", self.text) is not None


def helps(
    command: click.Command = main, path: str = "posezoo"
) -> Iterator[tuple[str, list[Shown]]]:
    """The lines below "Examples:" of a command, and of those below it."""
    context = click.Context(command, info_name=path)
    _, _, text = (command.epilog or "").partition("Examples:\n")
    if text:
        yield path, [*shell(text.partition("\n\n")[0])]
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from helps(below, f"{path} {name}")


def page(path: Path) -> list[Shown]:
    """The commands and the Python of a page, from top to bottom."""
    shown = []
    for language, words, body in _FENCE.findall(path.read_text(encoding="utf-8")):
        reason = "".join(_MARK.findall(words))
        if language == "python" and "file=" not in words:
            shown.append(Shown(body, python=True, reason=reason))
        elif language in ("", "console", "sh"):
            prompt = "$ " if re.search(r"^\$ ", body, re.M) else ""
            shown += [each for each in shell(body, prompt, reason) if each.ours]
    return shown


def shell(text: str, prompt: str = "", reason: str = "") -> Iterator[Shown]:
    """The commands of a text: its lines, or those behind a prompt; comments may be reasons."""
    for line in text.replace("\\\n", " ").splitlines():
        command, _, comment = line.strip().partition("  #")
        if prompt and not line.startswith(prompt):
            continue
        if command and not command.startswith("#"):
            own = comment.strip() if any(each in comment for each in REASONS) else ""
            yield Shown(command.removeprefix(prompt).strip(), reason=own or reason)


HELPS = dict(helps())
SHOWN = {str(path.relative_to(ROOT)): page(path) for path in PAGES}
SHOWN = {name: found for name, found in SHOWN.items() if found}


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample") / "sample"
    write_sample(folder)
    return folder


@pytest.mark.parametrize("of", HELPS)
def test_the_examples_of_a_help_run_as_pasted(of, sample, tmp_path, monkeypatch):
    here = tmp_path / "here"
    if any(each.text.endswith("data sample --out .") for each in HELPS[of]):
        here.mkdir()
    else:
        shutil.copytree(sample, here)
    paste(HELPS[of], here, monkeypatch)


@pytest.mark.parametrize("name", SHOWN)
def test_what_a_page_shows_runs_as_pasted(name, tmp_path, monkeypatch):
    paste(SHOWN[name], tmp_path, monkeypatch)


@pytest.mark.parametrize("of", [*HELPS, *SHOWN])
def test_the_words_of_a_command_that_is_not_run_are_known(of, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for each in (HELPS | SHOWN)[of]:
        for words, _ in _parts(each.text) if each.reason and not each.python else ():
            command: click.Command = main
            rest = words
            while isinstance(command, click.Group):
                _, below, rest = command.resolve_command(click.Context(command), rest)
                assert below is not None
                command = below
            assert command.make_context(each.text, rest).params


def test_most_is_pasted_and_every_mark_gives_a_reason():
    for what, found in {"--help": HELPS, "pages": SHOWN}.items():
        every = [each for shown in found.values() for each in shown if each.ours]
        marked = [each for each in every if each.reason]
        blocks = sum(each.python for each in every)
        print(f"{what}: {len(every)} shown ({blocks} of Python), {len(marked)} of them marked")
        assert all(any(r in each.reason for r in REASONS) for each in marked), marked
        assert len(marked) <= MOST_MARKED[what] and len(every) > len(marked)


def paste(shown: list[Shown], here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run what is not marked, in order; each must end well."""
    if any(" sweep " in each.text for each in shown):
        pytest.importorskip("optuna")
    monkeypatch.chdir(here)
    names: dict[str, object] = {"__name__": "pasted"}
    for each in shown:
        if each.reason or not each.ours:
            continue
        if each.python:
            exec(compile(each.text, "pasted", "exec"), names)
            continue
        result = type_in(each.text)
        assert result.exit_code == 0, f"{each.text}\n{result.output}"


def type_in(text: str) -> Result:
    """A line as a shell would run it: `&&` and `>` are all that examples use of one."""
    result = None
    for words, file in _parts(text):
        if words[:1] == ["cd"]:
            os.chdir(words[1])
            continue
        result = CliRunner().invoke(main, words, prog_name="posezoo")
        if result.exit_code:
            return result
        if file:
            Path(file).write_text(result.stdout)
    assert result is not None
    return result


def _parts(text: str) -> Iterator[tuple[list[str], str]]:
    """The words of each command of a line, without "posezoo", and the file behind ">", or ""."""
    for part in text.split(" && "):
        command, _, file = part.partition(" > ")
        words = shlex.split(command)
        yield words[words[0] == "posezoo" :], file.strip()
