"""What a study is drawn as."""

import pytest
from matplotlib.figure import Figure

from posezoo.sweep.definition import Axis
from posezoo.sweep.plots import draw
from posezoo.sweep.results import Row


def panels(monkeypatch, tmp_path, *grids, errors):
    """The panels of a study over these grids; `errors` by the values of a point."""
    figures = []
    monkeypatch.setattr(Figure, "savefig", lambda self, *_, **__: figures.append(self))
    axes = [Axis.grid(grid) for grid in grids]
    rows = [
        Row(
            number=number,
            point=dict(zip((axis.name for axis in axes), values, strict=True)),
            errors={"mpjpe_mm": (error,)},
            note="",
        )
        for number, (values, error) in enumerate(errors.items(), 1)
    ]
    draw(axes, rows, "mpjpe_mm", "MPJPE mm", tmp_path / "plot.png")
    return figures[0].axes


@pytest.mark.parametrize(
    ("grid", "scale"),
    [("lr=1e-4,1e-3,1e-2", "log"), ("w=16,32,64", "log"), ("w=16,32,48", "linear"),
     ("d=0,0.1,0.2", "linear")],
)  # fmt: skip
def test_the_axis_is_logarithmic_where_the_grid_goes_by_factors(grid, scale, monkeypatch, tmp_path):
    values = grid.partition("=")[2].split(",")
    errors = {(value,): 60.0 + k for k, value in enumerate(values)}
    (panel,) = panels(monkeypatch, tmp_path, grid, errors=errors)
    assert panel.get_xscale() == scale
    if scale == "log":
        assert [each.get_text() for each in panel.get_xticklabels()] == values


def test_two_settings_have_a_map_with_the_best_framed_and_a_hole_where_nothing_is(
    monkeypatch, tmp_path
):
    errors = {("1e-2", "0.1"): 70.0, ("1e-3", "0.1"): 61.0, ("1e-3", "1"): 65.0}
    grids = ("lr=1e-2,1e-3", "strategy.lambda_2d=0.1,1")
    *_, both, _ = panels(monkeypatch, tmp_path, *grids, errors=errors)
    assert [each.get_text() for each in both.get_xticklabels()] == ["1e-3", "1e-2"]  # rising
    said = {text.get_text(): text.get_position() for text in both.texts}
    assert said == {"61": (0, 0), "70": (1, 0), "65": (0, 1)}
    framed = [text.get_text() for text in both.texts if text.get_bbox_patch().get_linewidth()]
    assert framed == ["61"]
