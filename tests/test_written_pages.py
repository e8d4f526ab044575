"""No name out of a file becomes markup of a page that posezoo writes.

The pages of predictions, runs and data are in tests/inference/test_pages.py.
"""

import pytest

from posezoo.hints import in_markdown
from posezoo.report.page import _rows
from posezoo.sweep.definition import Axis, Sweep
from posezoo.sweep.study import Study
from posezoo.sweep.table import write_report
from posezoo.weights.hub_card import model_card

EVIL = "<script>alert(1)</script>|x\n# y"
HARMLESS = r"&lt;script>alert(1)&lt;/script>\|x\n# y"


def test_markdown_has_the_name_and_no_markup_of_it():
    assert in_markdown(EVIL) == HARMLESS


def test_the_tables_of_a_sweep_escape_its_values_and_the_reasons_of_failures(tmp_path):
    pytest.importorskip("optuna")
    study = Study(
        tmp_path,
        Sweep(
            pipeline="martinez", strategy=None, data=None, preset=None, changes={}, epochs=None,
            axes=(Axis(name="data", values=(EVIL, "b")),), trials=0, seeds=1, prune=False,
            device="cpu",
        ),
    )  # fmt: skip
    with study.claim() as claim:
        claim.fail(EVIL)
    write_report(study)
    page = (tmp_path / "table.html").read_text()
    assert page.count("&lt;script&gt;alert(1)") == 2
    text = (tmp_path / "table.md").read_text()
    assert text.count(HARMLESS) == 2
    assert "<script" not in page + text


def test_a_row_of_the_report_too():
    assert _rows(["a"], [[EVIL]])[-1] == f"| {HARMLESS} |"


def test_the_card_of_weights_too():
    about = {"summary": EVIL, "source": EVIL, "file": EVIL}
    card = model_card("me/mine", about, sha256="0", tensors={})
    assert card.count(HARMLESS) == 3 and "<script" not in card
