"""From what programs save to bare names."""

import pytest
import torch
from torch import nn

from posezoo.weights.unwrapping import unwrap

BARE = {"w1.weight": torch.ones(2, 3), "w1.bias": torch.zeros(2)}


def below(prefix):
    return {prefix + name: value for name, value in BARE.items()}


def adam():
    """An optimizer's state: numbered tensors, which are no network's."""
    optimizer = torch.optim.Adam([nn.Parameter(torch.zeros(3))])
    optimizer.param_groups[0]["params"][0].grad = torch.ones(3)
    optimizer.step()
    return optimizer.state_dict()


MODULE = below("module.")
# What a program saved, the wrapper and the prefix that come off.
WRAPPED = {
    "bare": (BARE, "", ""),
    "data parallel": (MODULE, "", "module."),
    "compiled": (below("_orig_mod."), "", "_orig_mod."),
    "a trainer of data parallel": (below("model.module."), "", "model.module."),
    "VideoPose3D": (
        {"epoch": 80, "lr": 0.1, "optimizer": adam(), "model_pos": BARE, "model_traj": None},
        "model_pos",
        "",
    ),
    "SemGCN": ({"epoch": 1, "state_dict": BARE, "optimizer": adam()}, "state_dict", ""),
    "MotionAGFormer": ({"model": MODULE, "optimizer": adam()}, "model", "module."),
    "MotionBERT": ({"model_pos": MODULE, "min_loss": 3.0}, "model_pos", "module."),
    "integral": ({"network": MODULE, "optimizer": adam()}, "network", "module."),
    "mmpose": ({"meta": {"epoch": 1, "cfg": "text"}, "state_dict": BARE}, "state_dict", ""),
    "HRNet": (
        {"model": "pose_hrnet", "state_dict": MODULE, "best_state_dict": BARE, "perf": 0.7},
        "state_dict",
        "module.",
    ),
    "averaged only": ({"epoch": 1, "ema": {"state_dict": BARE}}, "ema.state_dict", ""),
    "a name of their own": ({"epoch": 1, "generator": BARE}, "generator", ""),
}


@pytest.mark.parametrize("kind", WRAPPED)
def test_the_weights_are_found_below_every_wrapper(kind):
    saved, wrapper, prefix = WRAPPED[kind]
    found = unwrap(saved, origin="w.pth")
    assert [*found.state] == [*BARE]
    assert found.state["w1.weight"] is BARE["w1.weight"]
    assert (found.wrapper, found.prefix) == (wrapper, prefix)


def test_what_is_left_alone_is_said():
    saved = {"epoch": 1, "optimizer": adam(), "model_pos": below("module.")}
    said = str(unwrap(saved, origin="w.pth"))
    assert said == (
        "2 tensors under 'model_pos', prefix 'module.' dropped; left alone: epoch, optimizer"
    )


def test_a_network_that_was_saved_whole_is_its_state_dict():
    assert [*unwrap({"model": nn.Linear(3, 2)}, origin="w.pth").state] == ["weight", "bias"]


def test_two_networks_of_unknown_names_are_not_chosen_between():
    with pytest.raises(ValueError, match=r"several state dicts \(left, right\)"):
        unwrap({"left": BARE, "right": BARE}, origin="w.pth")


def test_a_prefix_that_only_some_names_have_is_part_of_them():
    state = below("module.") | {"scale": torch.ones(1)}
    assert [*unwrap(state, origin="w.pth").state] == [*state]
