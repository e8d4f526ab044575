import json

import pytest
import torch

from posezoo.evaluation.detections import fit_errors


@pytest.fixture(scope="module")
def detector(tmp_path_factory, invoke):
    out = tmp_path_factory.mktemp("cli") / "detector"
    sets = ("eval_samples=8", "normalisation_samples=32", "data.items=96", "data.people=5")
    words = [word for item in sets for word in ("--set", item)]
    result = invoke(
        "train",
        "resnet18-hm",
        "--steps",
        60,
        "--batch-size",
        8,
        "--image-size",
        64,
        "--out",
        out,
        "--workers",
        0,
        *words,
    )
    assert result.exit_code == 0, result.output
    return out


def test_a_detector_s_errors_become_a_model_that_trains_a_lifter(detector, tmp_path, invoke, small):
    file = tmp_path / "errors.json"
    result = invoke("errors", detector, "--out", file, "--limit", 60)
    assert result.exit_code == 0, result.output
    assert "warning" not in result.output
    assert "right_wrist" in result.output and "of 48 pictures of" in result.output
    kept = json.loads(file.read_text())
    assert 0 < kept["joints"]["right_wrist"]["covariance"][0][0] < 1
    lifter = tmp_path / "lifter"
    strategy = f"separate:lifter_input=noisy,errors={file}"
    words = ("--strategy", strategy, "--set", "lifter.confidence=true", "--out", lifter)
    result = invoke("train", "martinez", *words, *small)
    assert result.exit_code == 0, result.output
    assert invoke("eval", lifter).exit_code == 0


def test_people_whom_the_detector_knows_are_warned_of(detector, tmp_path, invoke):
    data = "synthetic:people=5,items=96,val=P00/P01/P02/P03/P04"
    result = invoke("errors", detector, "--out", tmp_path / "e.json", "--data", data)
    assert result.exit_code == 0, result.output
    assert "warning: the detector was trained on P0" in result.output


def test_a_run_without_a_detector_is_refused(lifter_run, tmp_path, invoke):
    result = invoke("errors", lifter_run, "--out", tmp_path / "e.json")
    assert result.exit_code == 2
    assert "'martinez" in result.output and "detects no 2D joints" in result.output
    assert not (tmp_path / "e.json").exists()


def test_every_batch_is_told_of(detector):
    heard = []
    device = torch.device("cpu")
    _, found = fit_errors(detector, limit=60, device=device, progress=lambda *of: heard.append(of))
    done, totals = zip(*heard, strict=True)
    assert done[-1] == len(found.true) == 48 and {*totals} == {48}
    assert len(done) == 48 / 8
