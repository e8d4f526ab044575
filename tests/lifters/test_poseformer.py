import pytest
import torch

from posezoo.lifters.poseformer import PoseFormer
from posezoo.skeleton import H36M17
from posezoo.testing.examples import people


def lifter(**changes):
    torch.manual_seed(0)
    model = PoseFormer(
        skeleton=H36M17,
        **{"frames": 5, "width": 4, "depth": 2, "heads": 2, "drop_path": 0.0, **changes},
    )
    model.fit_normalisation(people(64, frames=model.frames))
    return model


@pytest.mark.parametrize(
    ("frames", "published"), [(9, 9_563_645), (27, 9_573_455), (81, 9_602_885)]
)
def test_it_has_the_published_number_of_parameters(frames, published):
    with torch.device("meta"):
        model = PoseFormer(skeleton=H36M17, frames=frames)
    assert sum(p.numel() for p in model.parameters()) == published


def test_the_middle_frame_sees_the_whole_window_and_no_other_frame():
    model = lifter().eval()
    batch = people(2, frames=model.frames + 2)
    joints2d = batch.joints2d.requires_grad_()
    model(joints2d, batch.camera)[:, 1].sum().backward()
    seen = joints2d.grad.abs().sum((0, 2, 3)).nonzero()[:, 0].tolist()
    assert seen == [*range(1, 1 + model.frames)]


def test_frames_are_weighed_before_the_answer():
    """With the transformers silenced, a mean of weight 1 for the first frame hears it alone."""
    model = lifter().eval()
    for block in (*model.over_joints, *model.over_frames):
        torch.nn.init.zeros_(block.mixer.proj.weight)
    with torch.no_grad():
        model.mean.weight.copy_(torch.tensor([1.0, 0, 0, 0, 0]))
    batch = people(2, frames=5)
    joints2d = batch.joints2d.requires_grad_()
    model(joints2d, batch.camera).sum().backward()
    assert joints2d.grad.abs().sum((0, 2, 3)).nonzero()[:, 0].tolist() == [0]


def test_it_can_learn_one_batch_by_heart():
    model = lifter(frames=3, width=8, depth=1, zero_init=True)
    batch = people(8, frames=3)
    optimizer = torch.optim.Adam(model.parameters(), 5e-3)
    for _ in range(60):
        optimizer.zero_grad()
        loss = model.loss(model(batch.joints2d, batch.camera), batch.frames(1, 2))
        loss.backward()
        optimizer.step()
    assert loss.item() < 20  # mm, of 132 of the mean pose
