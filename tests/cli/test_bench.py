from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from posezoo.cli.bench import bench


def test_the_codec_group_is_saved_as_data_and_compared_with_itself(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from benchmarks import report
    from benchmarks.rows import Row

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
    assert "1.49/13.8" in first.output
    assert max(map(len, first.output.splitlines())) <= 100
    rows = [Row(**row) for row in run["results"]]  # the same again, without the measuring
    monkeypatch.setitem(report.GROUPS, "codec", lambda device, *, seconds: iter(rows))
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


def test_the_table_has_a_line_for_each_operation_of_at_most_100_characters() -> None:
    from benchmarks import tables
    from benchmarks.rows import Row

    def row(implementation: str, best_ms: float | None, gate: str = "pass", **more: object) -> Row:
        labels = {"shape": (256, 17, 128, 128), "dtype": "bfloat16", "mode": "backward"} | more
        return Row(
            group="kernels",
            operation="an operation of a name that is far too long",
            implementation=implementation,
            best_ms=best_ms,
            gate=gate,
            **labels,  # type: ignore[arg-type]  # labels of a row, given by name
        )

    rows = [
        row("posezoo, and a word on which of its paths it is", 1234.5678),
        row("an implementation of a name that is long", 2469.1356),
        row("another", 3000.0),
        row("wrong", None, gate="off by 0.5 > 0.001: no speed", mode=None),
    ]
    (line,) = tables.brief(rows)
    assert line[4:] == ("1235", "an impleme...", "2469", "2.00", "1 wrong")
    assert max(map(len, map(tables.line, (line, tables.BRIEF)))) <= 100
    assert max(map(len, tables.LEGEND)) <= 100
    assert tables.summary(rows)[0] == "Faster than the best other in 1 of 1 comparisons."
    assert "another" not in tables.summary(rows)[1]
    assert tables.summary(rows)[2].startswith("Refused by their gate: 1: an operation of a name")
    named = Row(
        group="loader", operation="x" * 90, implementation="s", value=4886.7, unit="items/s"
    )
    (line,) = map(tables.line, tables.brief([named]))
    assert len(line) <= 100 and line.split()[1:] == ["4887", "items/s", "pass"]
    slower = [row("posezoo", 2.0), row("plain", 1.0)]
    assert tables.summary(slower)[1].startswith("Slower in 1: an operation of a")


def test_a_line_is_said_as_soon_as_its_operation_is_measured(monkeypatch) -> None:
    from benchmarks import report
    from benchmarks.rows import Row

    measured: list[str] = []

    def slow(device: object, **options: object):
        for name in ("first", "second"):
            measured.append(name)
            yield Row(group="kernels", operation=name, implementation="posezoo", best_ms=1.0)

    monkeypatch.setattr(report, "GROUPS", {"kernels": slow})
    options = {"seconds": 0.1, "compiled": False, "output": None, "compare": None}
    lines = report.run(["kernels"], "cpu", **options)
    assert [next(lines) for _ in range(2)][1].startswith("ours ms:") and not measured
    while "first" not in (line := next(lines)):
        assert line
    assert measured == ["first", "second"]  # the next one has begun, and nothing of it is awaited


def test_a_pipeline_is_benched_by_its_parts_and_a_run_with_its_accuracy(lifter_run) -> None:
    options = ["--device", "cpu", "--seconds", "0.001", "--batch-size", "2"]
    done = CliRunner().invoke(bench, ["pipeline", str(lifter_run), *options])
    assert done.exit_code == 0, done.output
    parts = [line.split("  ")[0] for line in done.output.splitlines()]
    assert {"lifter", "whole", "training step"} <= {*parts}
    result = json.loads((lifter_run / "eval.json").read_text())
    assert f"accuracy: MPJPE mm {result['mpjpe_mm']:.2f}" in done.output
    assert "poses a second" in done.output
    small = "resnet18:cut=layer1-hm:block_b=false,kernel=3,strides=1+martinez:width=16"
    done = CliRunner().invoke(bench, [small, *options, "--image-size", "32"])
    assert done.exit_code == 0, done.output
    parts = [line.split("  ")[0] for line in done.output.splitlines()]
    assert parts[3:9] == ["backbone", "head", "decode", "lifter", "whole", "training step"]
    assert "2 pictures of 32 px" in done.output and "accuracy: not known of a spec" in done.output


@pytest.mark.parametrize(
    ("typed", "answer"),
    [("kernel", "Did you mean 'kernels'?"), ("resnet50+martinez", "resnet50-hm+martinez")],
)
def test_what_is_neither_a_group_nor_a_pipeline_is_answered(
    typed: str, answer: str, invoke
) -> None:
    done = invoke("bench", typed)
    assert done.exit_code == 2 and answer in done.output


def test_tensors_that_are_alive_at_once_are_counted() -> None:
    import torch

    from benchmarks import measure

    def three_of_a_megabyte() -> torch.Tensor:
        first = torch.ones(2**18)
        second = first + 1
        del first
        third = second.relu_() * 2
        return (third * 2).sum()

    assert measure.peak_tensors_mb(three_of_a_megabyte, torch.device("cpu")) == pytest.approx(
        3, 1e-3
    )
