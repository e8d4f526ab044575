import pytest
import torch

from posezoo.lifters.mixste import MixSte
from posezoo.skeleton import H36M17
from posezoo.testing.examples import people


def lifter(**changes):
    torch.manual_seed(0)
    model = MixSte(
        skeleton=H36M17,
        **{"frames": 5, "width": 8, "depth": 2, "heads": 2, "drop_path": 0.0, **changes},
    )
    model.fit_normalisation(people(64, frames=model.frames))
    return model


@pytest.mark.parametrize(
    ("frames", "published"), [(27, 33_673_219), (81, 33_700_867), (243, 33_783_811)]
)
def test_it_has_the_published_number_of_parameters(frames, published):
    with torch.device("meta"):
        model = MixSte(skeleton=H36M17, frames=frames)
    assert sum(p.numel() for p in model.parameters()) == published


def test_a_frame_sees_the_whole_window_and_no_other_frame():
    model = lifter().eval()
    batch = people(2, frames=model.frames + 2)
    joints2d = batch.joints2d.requires_grad_()
    model(joints2d, batch.camera)[:, 1].sum().backward()
    seen = joints2d.grad.abs().sum((0, 2, 3)).nonzero()[:, 0].tolist()
    assert seen == [*range(1, 1 + model.frames)]


def test_one_norm_serves_the_blocks_over_joints_and_one_those_over_frames():
    counts = {"joint_norm": 0, "frame_norm": 0}
    model = lifter(depth=3).eval()

    def count(name):
        def hook(module, inputs, output):
            counts[name] += 1

        return hook

    for name in counts:
        getattr(model, name).register_forward_hook(count(name))
    batch = people(1, frames=5)
    model(batch.joints2d, batch.camera)
    assert counts == {"joint_norm": 3, "frame_norm": 3}


def test_it_can_learn_the_windows_of_a_batch_by_heart():
    model = lifter(frames=3, width=16, depth=1, zero_init=True)
    batch = people(8, frames=3)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(100):
        optimizer.zero_grad()
        loss = model.loss(model.lift_window(batch.joints2d, batch.camera), batch)
        loss.backward()
        optimizer.step()
    assert loss.item() < 40  # mm, of 132 of the mean pose
