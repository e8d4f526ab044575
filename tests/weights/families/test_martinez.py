import pytest
import torch

from posezoo.camera import Camera
from posezoo.weights.importing import import_file


def test_its_statistics_come_from_the_config_in_the_places_of_its_joints(tmp_path, perceptron):
    """A network that always says 1: its number k is then its mean k plus its deviation k."""
    state = perceptron()
    state["w2.weight"].zero_()
    state["w2.bias"].fill_(1.0)
    torch.save({"state_dict": state}, tmp_path / "gt_ckpt_best.pth.tar")
    config = {
        "input_mean": [500.0] * 32,
        "input_std": [100.0] * 32,
        "output_mean": [10.0 * k for k in range(48)],
        "output_std": [1.0 * k for k in range(48)],
    }
    found = import_file(
        tmp_path / "gt_ckpt_best.pth.tar", spec="martinez", config=config, warn=print
    ).pipeline
    camera = Camera.make(focal_px=(1145, 1145), centre_px=(500, 500)).to(torch.float32)
    joints3d = found.lift(torch.rand(1, 1, 17, 2) * 1000, Camera(camera.parameters[None]))
    assert joints3d[0, 0, 0].tolist() == [0, 0, 0]  # the pelvis, of which it says nothing
    assert joints3d[0, 0, 1:].flatten().tolist() == [11.0 * k for k in range(48)]
    mean = found.lifter.normalisation.input_mean
    assert mean.view(17, 2)[9].tolist() == [0, 0]  # the neck, which it is not told
    assert mean.sum() == 32 * 500


def test_statistics_of_another_number_of_joints_are_refused(tmp_path, perceptron):
    torch.save(perceptron(), tmp_path / "w.pth")
    with pytest.raises(ValueError, match="output_mean has 51 numbers, expected 48"):
        import_file(
            tmp_path / "w.pth", spec="martinez", config={"output_mean": [0.0] * 51}, warn=print
        )
