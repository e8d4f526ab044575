import json
import shutil
from pathlib import Path

import pytest

from posezoo.report import work as working
from posezoo.report.cost import measure
from posezoo.report.definition import Report, Row, read_report
from posezoo.report.merging import merged
from posezoo.report.page import write_page
from posezoo.report.table import read_lines
from posezoo.report.trials import Trials
from posezoo.training.devices import pick_device

DATA = "synthetic:people=6,items=32"


def report(*rows: Row, seeds=1) -> Report:
    """These rows at the scale "smoke", with a lifter of 16 units."""
    whole = read_report("smoke", data=DATA)
    overrides = {**whole.overrides, "lifter": {"lifter.width": 16}}
    return changed(whole, rows=rows, seeds=seeds, overrides=overrides)


def changed(one: Report, **values) -> Report:
    return Report(**{name: getattr(one, name) for name in Report.__slots__} | values)


def row(key="row", **variants):
    pair = tuple(variants)[:2]
    return Row(
        key=key,
        section="3",
        claim="A claim.",
        base="lifter",
        variants=variants,
        better=(pair,) if len(pair) == 2 else (),
        cure=pair if len(pair) == 2 else None,
    )


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Two rows that share a training, one of which cannot be trained, done with two seeds."""
    rows = (
        row(l2={}, l1={"lifter.loss": "l1"}),
        row("other", same={}, broken={"data.val": "nobody"}),
    )
    trials = Trials(report(*rows, seeds=2), tmp_path_factory.mktemp("report"), device="cpu")
    said: list[str] = []
    working.work(trials, workers=0, say=said.append)
    return trials, said, write_page(trials)


def test_variants_that_are_the_same_training_are_trained_once(done):
    trials, said, _ = done
    assert len({trial.run.path for trial in trials}) == 6  # 3 trainings, 2 seeds
    assert sum("same" in line for line in said) == 0


def test_what_fails_is_reported_and_skipped(done):
    trials, said, _ = done
    assert [line for line in said if "other: broken, seed 0: failed: val names nobody" in line]
    (_, broken) = read_lines(trials, trials.report.rows[1])
    assert broken.errors == {} and broken.note.startswith("failed: val names nobody")


def test_the_page_has_every_row_with_numbers_spread_and_verdict(done):
    trials, _, summary = done
    page = (trials.folder / "README.md").read_text()
    assert summary in page
    assert "## row" in page and "## other" in page and "±" in page
    l2, _ = read_lines(trials, trials.report.rows[0])
    assert f"| l2 | {l2.mean('mpjpe_mm'):.2f} ±" in page
    assert "| 3 | A claim. | not judged | a training is missing |" in page
    assert "Cure, on people never seen: `l2` has" in page
    assert "items=32,people=6" in page


def test_the_numbers_are_those_of_the_runs(done):
    trials, _, _ = done
    first = trials.trial(trials.report.rows[0], "l1", 1)
    (line,) = (
        text.split(",")
        for text in (trials.folder / "table.csv").read_text().splitlines()
        if text.startswith("row,l1,1,")
    )
    assert float(line[3]) == json.loads((first.run.path / "eval.json").read_text())["mpjpe_mm"]


def test_a_row_by_itself_leaves_the_other_rows_on_the_page(done):
    trials, _, _ = done
    second = trials.report.rows[1]
    alone = trials.of(changed(trials.report, rows=(second,)))
    assert [row.key for row in merged(alone, trials.report).report.rows] == ["row", "other"]
    write_page(merged(alone, trials.report))
    page = (trials.folder / "README.md").read_text()
    assert "## row" in page and "## other" in page


def test_a_row_that_would_take_the_page_of_others_away_is_refused(done, tmp_path):
    trials, _, _ = done
    shutil.copy(trials.folder / "report.json", tmp_path)  # a page without its trainings
    alone = Trials(changed(trials.report, rows=trials.report.rows[1:]), tmp_path, device="cpu")
    with pytest.raises(ValueError, match=r"1 rows whose trainings are not there \(row\)"):
        merged(alone, trials.report)
    fewer = trials.of(changed(alone.report, seeds=1))
    with pytest.raises(ValueError, match="page of seeds 2, and this row would be of 1"):
        merged(fewer, changed(trials.report, seeds=1))


def test_a_finished_report_trains_nothing(done):
    trials, _, _ = done
    files = sorted(trials.folder.rglob("model.safetensors"))
    before = [file.stat().st_mtime_ns for file in files]
    said: list[str] = []
    working.work(trials, workers=0, say=said.append)
    assert said == []
    assert [file.stat().st_mtime_ns for file in files] == before


def test_a_killed_report_goes_on_and_ends_with_the_same_numbers(done, tmp_path, monkeypatch):
    trials, _, _ = done
    again = Trials(trials.report, tmp_path, device="cpu")

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(working, "measure", killed)
        with pytest.raises(KeyboardInterrupt):
            working.work(again, workers=0)
    working.work(again, workers=0, say=lambda _: None)
    for one, other in zip(trials, again, strict=True):
        assert one.failure == other.failure
        if not one.failure:
            assert one.read("eval") == other.read("eval")


def test_two_processes_do_not_train_the_same_thing(done, tmp_path):
    again = Trials(done[0].report, tmp_path, device="cpu")
    trial = next(iter(again))
    with working._held(trial.run.path) as mine, working._held(trial.run.path) as second:
        assert mine and not second


def test_memory_grows_with_the_batch_and_the_weights():
    def memory(**changes):
        trials = Trials(report(row(one=changes)), Path(), device="cpu")
        settings = trials.report.plan(trials.report.rows[0], "one", seed=0, errors="", device="cpu")
        return measure(settings, pick_device("cpu")).memory_mb

    wide = memory(**{"lifter.width": 256})
    # 4 layers of 256 x 256 and two of 34 + 51: weights, gradients, two moments of Adam.
    assert wide == pytest.approx(4 * 4 * (4 * 256**2 + 85 * 256) / 2**20, rel=0.15)
    assert memory(**{"lifter.width": 256, "batch_size": 16}) > wide


PICTURES = {
    "base": "heatmap",
    "pipeline": "resnet18-hm",
    "batch_size": 2,
    "head.block_b": False,
}


def test_detectors_of_the_scale_start_from_one_backbone_and_others_do_not(tmp_path, monkeypatch):
    rows = (row(ours=PICTURES, other={**PICTURES, "pipeline": "resnet34-hm"}),)
    plain = report(*rows)
    started = changed(plain, overrides={**plain.overrides, "start": {"batch_size": 2}})
    trials = Trials(started, tmp_path, device="cpu")
    given: dict[str, object] = {}
    train = working.start

    def watched(run, settings, **options):
        given[settings.pipeline.split("-")[0].split(":")[0]] = options["weights"]
        return train(run, settings, **options)

    monkeypatch.setattr(working, "start", watched)
    working.work(trials, workers=0, say=lambda _: None)
    ours, other = trials
    assert ours.done and other.done, (ours.failure, other.failure)
    start = [f"backbone={tmp_path / 'start.safetensors'}"]
    assert given == {"resnet18": start, "resnet34": ()}
    first, second = read_lines(trials, rows[0])
    assert (first.note, second.note) == ("", "from random weights")
    write_page(trials)
    assert "- start: the backbone `resnet18` is at first that of `resnet18:cut=layer3-deconv" in (
        tmp_path / "README.md"
    ).read_text(encoding="utf-8")
    assert Trials(plain, tmp_path, device="cpu").path(ours.settings) != ours.run.path
