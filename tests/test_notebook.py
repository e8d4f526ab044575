"""examples/notebooks/first_picture.ipynb runs as it is. In Jupyter itself .ci/run executes it."""

import contextlib
import io
import json
from pathlib import Path

import pytest

from posezoo import registry
from posezoo.weights.store import all_stored

NOTEBOOK = Path(__file__).parents[1] / "examples" / "notebooks" / "first_picture.ipynb"
CELLS = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
PHOTOGRAPH = next(n for n, cell in enumerate(CELLS) if "## A photograph\n" in cell["source"])


@pytest.fixture
def printed(monkeypatch):
    """Run some cells in a fresh namespace, as a notebook would; what they print."""
    monkeypatch.chdir(NOTEBOOK.parent)
    before = set(registry.entries())

    def run(cells):
        out = io.StringIO()
        space = {"__name__": "notebook"}
        with contextlib.redirect_stdout(out):
            for cell in cells:
                if cell["cell_type"] == "code":
                    exec("".join(cell["source"]), space)
        return out.getvalue(), space

    yield run
    registry.catalog.discard(set(registry.entries()) - before)


def test_a_drawn_person_comes_out_near_the_truth_and_is_written(printed):
    text, space = printed(CELLS[:PHOTOGRAPH])
    assert space["error_mm"] < 150
    assert space["person"].joints3d.shape == (17, 3)
    assert space["person"].plot()._repr_png_().startswith(b"\x89PNG")  # what Jupyter shows
    assert "HIERARCHY" in text and "people" in text
    assert {path.name for path in space["out"].iterdir()} == {"drawn.json", "drawn.bvh"}


@pytest.mark.skipif("blazepose" not in all_stored(), reason="posezoo weights get blazepose")
def test_a_photograph_shows_the_runner_and_the_lady_behind(printed):
    _, space = printed(CELLS[:2] + CELLS[PHOTOGRAPH:])
    runner, lady = space["people"]
    assert runner.box_px[3] > 1.5 * lady.box_px[3]
    assert runner.root_mm is None and 2000 < space["at_hand"][0].root_mm[2] < 6000
    assert {path.name for path in space["out"].iterdir()} == {"lab_view.json", "lab_view.bvh"}


def test_no_output_is_committed():
    code = [cell for cell in CELLS if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
