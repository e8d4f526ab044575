from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from posezoo.cli.bench import bench


def test_the_codec_group_is_saved_as_data_and_compared_with_itself(tmp_path: Path) -> None:
    saved = tmp_path / "run.json"
    options = ["--group", "codec", "--device", "cpu", "--seconds", "0.001"]
    first = CliRunner().invoke(bench, [*options, "--json", str(saved)])
    assert first.exit_code == 0, first.output
    run = json.loads(saved.read_text())
    assert {"commit", "device", "torch", "threads", "date"} <= run["circumstances"].keys()
    bias = {
        row["implementation"].split(",")[0]: row["value"]
        for row in run["results"]
        if row["operation"] == "bias inside"
    }
    assert bias["64x64 dark"] < 0.2  # 0.05 cells of 4 px
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
