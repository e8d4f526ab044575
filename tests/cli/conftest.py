"""One small trained run for the tests of all commands."""

import pytest
from click.testing import CliRunner

from posezoo.cli import main
from posezoo.registry import catalog


@pytest.fixture(scope="session")
def invoke():
    def call(*args):
        return CliRunner().invoke(main, [str(arg) for arg in args], prog_name="posezoo")

    return call


@pytest.fixture(scope="session")
def small():
    """Options that make a run last a second."""
    sets = ("eval_samples=8", "normalisation_samples=32", "data.items=24", "lifter.width=16")
    return ["--steps", 4, "--batch-size", 4, *(x for item in sets for x in ("--set", item))]


@pytest.fixture(scope="session")
def lifter_run(tmp_path_factory, invoke, small):
    out = tmp_path_factory.mktemp("cli") / "lifter"
    result = invoke("train", "martinez", "--out", out, *small)
    assert result.exit_code == 0, result.output
    return out


@pytest.fixture
def clean_registry():
    """Forget what a test's plugin file has registered."""
    before = catalog.entries()
    yield
    catalog.discard([entry for entry in catalog.entries() if entry not in before])
