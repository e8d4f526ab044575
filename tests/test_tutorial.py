"""The tutorial of docs/plugins.md, followed to the letter: three files, then list, check, train."""

import re
import shlex
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from posezoo import registry
from posezoo.cli import main
from posezoo.skeleton import H36M17
from posezoo.testing import checks_of

PAGE = (Path(__file__).parents[1] / "docs" / "plugins.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"```\w+ file=(\S+)\n(.*?)```", PAGE, re.S))
COMMANDS = re.search(r"```[^\n]*\n(pip install -e \.\n.*?)```", PAGE, re.S).group(1).splitlines()
SMALL = (
    "--batch-size 4 --image-size 32 --set eval_samples=8 --set normalisation_samples=32 "
    "--set data.items=24 --set backbone.cut=layer1 --workers 0"
)


@pytest.fixture
def package(install_plugin) -> Path:
    """The page's files, where pip puts them."""
    (name,) = tomllib.loads(BLOCKS["pyproject.toml"])["tool"]["hatch"]["build"]["targets"]["wheel"][
        "packages"
    ]
    folder = install_plugin(package=name, stanzas=None)
    for file, text in BLOCKS.items():
        if file.startswith(f"{name}/"):
            (folder.parent / file).write_text(text)
    return folder


def posezoo(words: str) -> Result:
    result = CliRunner().invoke(main, shlex.split(words), prog_name="posezoo")
    assert result.exit_code == 0, result.output
    return result


def test_it_takes_three_files() -> None:
    assert [*BLOCKS] == ["pyproject.toml", "acme_linear/registry.toml", "acme_linear/__init__.py"]


def test_the_entry_point_names_the_plugin_and_its_package() -> None:
    project = tomllib.loads(BLOCKS["pyproject.toml"])["project"]
    assert project["entry-points"] == {"posezoo.registry": {"acme": "acme_linear"}}


def test_the_commands_of_the_page_work_in_their_order(package: Path, tmp_path: Path) -> None:
    install, list_, check, train = COMMANDS
    assert install == "pip install -e ."
    assert "acme/linear  One linear map" in posezoo(list_.removeprefix("posezoo ")).stdout
    assert "acme_linear" not in sys.modules
    posezoo(check.removeprefix("posezoo "))
    done = posezoo(f"{train.removeprefix('posezoo ')} {SMALL} --out {tmp_path}/run")
    assert "MPJPE mm" in done.stdout


def test_a_user_may_write_what_the_signature_says(package: Path) -> None:
    assert "acme/linear:bias=false" in PAGE
    lifter = registry.resolve("lifter", "linear:bias=false").build(skeleton=H36M17)
    assert lifter.map.bias is None


def test_the_page_s_own_test_is_the_one_that_posezoo_new_writes() -> None:
    template = Path(registry.__file__).parents[1] / "scaffold" / "package" / "test_my_entry.py"
    (block,) = re.findall(r"```python[^\n]*\n(from posezoo.testing.*?)```", PAGE, re.S)
    untyped = template.read_text().replace(": Callable[[], None]) -> None", ")")
    assert untyped.endswith(block.replace("acme/linear", "acme/my_entry"))


def test_the_transcript_shows_today_s_checks() -> None:
    shown = re.findall(r"^\d+ +(.+?) {2,}(?:passed|skipped)\b", PAGE, re.M)
    assert shown == [check.name for check in checks_of("lifter")]
