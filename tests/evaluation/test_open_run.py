import pytest
import torch

from posezoo.evaluation.evaluate import evaluate_run
from posezoo.evaluation.open_run import open_run
from posezoo.registry import NodeSpec, parse_node, parse_pipeline
from posezoo.settings import resolve
from posezoo.training import runs
from posezoo.training.run_folder import RunFolder


@pytest.fixture(scope="module")
def run(make_mocap, tmp_path_factory):
    """A bare lifter of one frame, trained for two steps on motion capture."""
    folder = tmp_path_factory.mktemp("opened")
    settings = resolve(
        pipeline=parse_pipeline("martinez:width=8"),
        strategy=NodeSpec("separate"),
        data=parse_node(f"mocap:path={make_mocap(folder / 'studio_poses17.h5')}"),
        preset="lifter",
        changes={"steps": "2", "batch_size": "4", "eval_samples": "4"},
    )
    path = folder / "run"
    runs.start(RunFolder(path), settings, device="cpu", draw=False)
    return path


def test_a_run_opens_with_its_val_people_and_in_eval_mode(run):
    opened = open_run(run)
    assert opened.data.params["split"] == "val"
    assert opened.dataset[0].joints2d.shape == (1, 17, 2)
    assert not opened.pipeline.training and not opened.bf16 and opened.lead == 0
    assert len(opened.poses(3)) == 3


def test_other_data_can_be_had_with_it(run):
    opened = open_run(run, data="synthetic:people=6,items=20,split=train")
    assert (opened.data.key, len(opened.dataset)) == ("synthetic", 20)


def test_velocity_takes_one_frame_more_where_there_are_sequences(run):
    opened = open_run(run, with_lead=True)
    assert opened.lead == 1
    assert opened.dataset[0].joints2d.shape == (2, 17, 2)
    assert open_run(run, data="synthetic:people=6,items=20", with_lead=True).lead == 0


def test_a_lifter_of_one_frame_is_given_a_velocity_error_and_its_other_errors_stay(run):
    whole = evaluate_run(run, device=torch.device("cpu"))
    assert whole.samples == len(open_run(run).dataset)
    assert whole.total["mpjve_mm"] > 0
    assert whole.total["mpjve_mm"] < whole.total["mpjpe_mm"]
