"""The README keeps its word: its zoo table, its commands, the files it names."""

import re
from pathlib import Path

from posezoo import registry
from posezoo.cli import main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def zoo_table():
    rows = [f"| {e.kind} | `{e.key}` | {e.summary} | {e.paper or ''} |" for e in registry.entries()]
    return "\n".join(["| kind | key | what | paper |", "|---|---|---|---|", *rows])


def test_the_zoo_table_is_the_manifest_s():
    found = README.split("<!-- zoo:begin -->\n")[1].split("\n<!-- zoo:end -->")[0]
    assert found == zoo_table(), f"paste this between the markers of README.md:\n{zoo_table()}"


def test_every_command_of_the_readme_exists():
    for command in re.findall(r"^(?:.*&& )?(?:\.venv/bin/)?posezoo (\w+)", README, re.M):
        assert command in main.list_commands(None)


def test_every_pip_line_is_constrained():
    lines = [line for line in README.splitlines() if re.search(r"bin/pip install", line)]
    assert len(lines) >= 2
    assert all("-c constraints.txt" in line for line in lines)


def test_every_file_that_the_documents_link_to_exists():
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_ci_runs_the_readme_s_test_command():
    command = re.search(r"\.venv/bin/(pytest \S+)$", README, re.M).group(1)
    assert f"$bin/{command}" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
