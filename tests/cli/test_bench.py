from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from posezoo.cli.bench import bench


def test_the_codec_group_is_saved_as_data_and_compared_with_itself(tmp_path: Path) -> None:
    saved = tmp_path / "run.json"
    options = ["codec", "--device", "cpu", "--seconds", "0.001"]
    first = CliRunner().invoke(bench, [*options, "--json", str(saved)])
    assert first.exit_code == 0, first.output
    run = json.loads(saved.read_text())
    assert {"commit", "device", "torch", "threads", "date"} <= run["circumstances"].keys()
    left = {
        (*row["shape"], row["setting"].split(", ")[2], row["implementation"]): row["value"]
        for row in run["results"]
        if row["operation"] == "mean error inside" and row["setting"].startswith("12.8")
    }
    # A place drawn evenly from a square cell is 0.3826 cells from its middle, on average.
    for size in (32, 64, 128):
        assert left[size, size, "quantised", "taylor"] == pytest.approx(0.3826 * 256 / size, 0.01)
    assert left[64, 64, "unbiased", "quarter"] == pytest.approx(0.3826 * 2, 0.01)
    assert left[64, 64, "unbiased", "dark"] < 0.01  # px
    assert "1.49 px 13.8 mm" in first.output
    second = CliRunner().invoke(bench, [*options, "--compare", str(saved)])
    assert second.exit_code == 0, second.output
    assert "now / then" in second.output


def test_a_formulation_that_is_wrong_gets_no_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from benchmarks import field, groups, kernels

    right = field.textbook_soft_argmax
    monkeypatch.setattr(field, "textbook_soft_argmax", lambda maps, beta: right(maps, beta) + 0.5)
    monkeypatch.setattr(kernels, "_planes", lambda *_: iter(()))
    rows = list(groups.kernels(torch.device("cpu"), seconds=0.001, shapes=[(1, 2, 16, 16)]))
    wrong = [row for row in rows if row.implementation == "textbook"]
    assert [(row.best_ms, row.gate) for row in wrong] == [(None, "off by 0.5 > 0.001: no speed")]
    assert all(row.best_ms for row in rows if row.implementation.startswith("posezoo"))


def test_all_groups_are_measured_in_one_call_and_the_threads_given_back(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import torch

    from benchmarks import groups, report

    def quick(name: str) -> object:
        def measured(device: torch.device, **options: object) -> list[groups.Row]:
            assert options.keys() == ({"seconds", "compiled"} if name == "kernels" else {"seconds"})
            assert torch.get_num_threads() == 1
            return [groups.Row(group=name, operation=f"of {name}", implementation="posezoo")]

        return measured

    monkeypatch.setattr(report, "GROUPS", {name: quick(name) for name in groups.GROUPS})
    monkeypatch.setattr(report, "static_columns", list)
    before = torch.get_num_threads()
    run = tmp_path / "run.json"
    done = CliRunner().invoke(bench, ["--device", "cpu", "--json", str(run)])
    assert done.exit_code == 0, done.output
    assert [row["group"] for row in json.loads(run.read_text())["results"]] == [*groups.GROUPS]
    assert all(f"of {name}" in done.output for name in groups.GROUPS)
    assert torch.get_num_threads() == before
