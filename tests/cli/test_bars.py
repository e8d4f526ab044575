"""What moves while minutes pass."""

import io

import rich.console

from posezoo.cli import bars
from posezoo.evaluation.evaluate import evaluate_run
from posezoo.training.devices import pick_device


def on_a_terminal(monkeypatch):
    """Let bars draw into a file that says that it is a terminal."""
    file, console = io.StringIO(), rich.console.Console

    def terminal(**options):
        options.pop("stderr", None)
        return console(file=file, force_terminal=True, width=100, **options)

    monkeypatch.setattr("rich.console.Console", terminal)
    return file


def test_an_evaluation_tells_of_every_batch_up_to_the_last(lifter_run):
    heard = []
    found = evaluate_run(
        lifter_run, device=pick_device("cpu"), progress=lambda *counts: heard.append(counts)
    )
    done, totals = zip(*heard, strict=True)
    assert [*done] == sorted(done) and len(done) > 1
    assert done[-1] == found.samples and {*totals} == {found.samples}


def test_eval_draws_a_bar_with_rate_on_a_terminal_and_none_into_a_file(
    lifter_run, invoke, monkeypatch
):
    assert "evaluating" not in invoke("eval", lifter_run).output
    file = on_a_terminal(monkeypatch)
    invoke("eval", lifter_run)
    assert "evaluating, " in file.getvalue() and "/s" in file.getvalue()


def test_trainings_show_the_step_and_say_what_has_ended(monkeypatch, capsys):
    file = on_a_terminal(monkeypatch)
    with bars.Trainings("trainings", 2) as bar:
        bar.step({"step": 40}, {"items_per_s": 120.0})
        bar.said("trial 1/2: mpjpe_mm 60.00")
        bar.progress.refresh()
    text = file.getvalue()
    assert "trainings, step 40, 120 items/s" in text
    assert "1/2" in text
    assert capsys.readouterr().out == "trial 1/2: mpjpe_mm 60.00\n"
