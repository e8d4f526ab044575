"""What is drawn of a run: curves, and poses in which a swap of sides is seen."""

import json

import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from posezoo import build
from posezoo.contracts import PoseResult
from posezoo.data.synthetic.synthetic import Synthetic
from posezoo.drawing import LEFT, MIDDLE, RIGHT
from posezoo.evaluation.curves import draw_curves
from posezoo.evaluation.figures import draw_predictions
from posezoo.training.run_folder import RunFolder


@pytest.fixture
def drawn(monkeypatch):
    """The figures that are saved."""
    figures = []
    monkeypatch.setattr(Figure, "savefig", lambda self, *_, **__: figures.append(self))
    return figures


def test_left_and_right_have_two_colours_in_true_and_predicted_poses(drawn, tmp_path):
    pipeline, batch = build("martinez:width=16"), Synthetic(image_size=0).__getitems__([0])
    result = PoseResult(joints2d=batch.joints2d, joints3d=batch.joints3d)
    draw_predictions(pipeline, batch, result, tmp_path / "x.png")
    *_, front, _ = drawn[0].axes
    for opacity, count in ((0.4, 1), (1.0, 1)):  # the true band, the predicted line
        colours = [to_hex(line.get_color()) for line in front.lines if line.get_alpha() == opacity]
        assert {each: colours.count(each) for each in (LEFT, RIGHT)} == {LEFT: 6, RIGHT: 6}
        assert colours.count(MIDDLE) == 4 * count
    assert "left orange, right blue" in drawn[0].get_suptitle()


def test_curves_show_losses_and_errors_by_unit_and_large_spans_on_a_logarithm(drawn, tmp_path):
    lines = [{"step": k, "loss": 100.0 / k**2, "loss_2d": 100.0 / k**2} for k in (1, 10, 20)]
    val = {"mpjpe_mm": 80.0, "pa_mpjpe_mm": 60.0, "error_2d_px": 3.0, "auc": 0.5}
    lines += [{"step": 20, "val": val, "samples": 9}]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(each) + "\n" for each in lines))
    assert draw_curves(RunFolder(tmp_path)) == tmp_path / "figures" / "curves.png"
    titles = {panel.get_title(): panel for panel in drawn[0].axes}
    assert [*titles] == [
        "training loss",
        "error on the val split, mm",
        "error on the val split, px",
    ]
    loss = titles["training loss"]
    assert loss.get_yscale() == "log"
    assert [line.get_label() for line in loss.lines] == ["2d"]  # its sum is the same
    mm = titles["error on the val split, mm"]
    assert [line.get_label() for line in mm.lines] == ["MPJPE", "PA-MPJPE"]
    assert mm.get_yscale() == "linear"


def test_what_is_no_number_is_not_drawn_and_what_is_no_record_is_refused(drawn, tmp_path):
    file = tmp_path / "metrics.jsonl"
    file.write_text('{"step": 1, "loss": "x", "val": [1]}\n{"step": 2, "loss": 0.5}\n')
    draw_curves(RunFolder(tmp_path))
    (line,) = drawn[0].axes[0].lines
    assert line.get_xydata().tolist() == [[2, 0.5]]
    file.write_text('{"step": 1, "loss": 1}\n{"step": "two"}\n')
    with pytest.raises(ValueError, match=r"metrics\.jsonl: line 2: step is 'two'"):
        draw_curves(RunFolder(tmp_path))


def test_a_run_without_a_line_has_no_curves(tmp_path):
    assert draw_curves(RunFolder(tmp_path)) is None
