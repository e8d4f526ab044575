"""examples/plugin is a package that works: listed, and green by its own tests; CI trains it."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from posezoo import registry

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "plugin"


@pytest.fixture
def site(install_plugin) -> Path:
    """The folder that holds the example as pip installs it."""
    package = install_plugin(package="acme_bones", stanzas=None)
    shutil.copytree(EXAMPLE / "acme_bones", package, dirs_exist_ok=True)
    return package.parent


def test_it_is_found_without_being_imported(site: Path) -> None:
    (entry,) = registry.entries(match="acme/*")
    assert (entry.kind, entry.key, entry.paper) == ("lifter", "acme/bones", "arXiv:1704.00159")
    assert "acme_bones" not in sys.modules


def test_its_own_tests_pass(site: Path) -> None:
    run = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", EXAMPLE / "tests"]
    path = os.pathsep.join(map(str, (site, ROOT, ROOT / "kernels")))
    # From its own folder, so that it sees nothing of this repository's settings.
    done = subprocess.run(
        [*run, "--rootdir", EXAMPLE, "-c", os.devnull],
        cwd=EXAMPLE,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) >= 20  # most are the checks of its kind


def test_pip_finds_it_by_the_entry_point_that_the_other_tests_lay_out() -> None:
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())
    assert project["project"]["entry-points"] == {"posezoo.registry": {"acme": "acme_bones"}}
    assert project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"] == ["acme_bones"]
