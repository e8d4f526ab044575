from dataclasses import replace

import pytest
import torch

from posezoo.lifters.semgcn import SemGcn, _NonLocal, _pairs, _SemanticConv
from posezoo.skeleton import H36M17, get_skeleton
from posezoo.testing import assert_equal_up_to_rounding
from posezoo.testing.examples import people

CHAIN = [(0, 0), (1, 1), (2, 2), (0, 1), (1, 0), (1, 2), (2, 1)]  # three joints, two bones

# The paper's 16 joints: Human3.6M-17 without the neck, the head on the thorax.
KEPT = [joint for joint in range(17) if joint != 9]
PAPERS16 = replace(
    H36M17,
    name="papers16",
    joints=tuple(H36M17.joints[joint] for joint in KEPT),
    parents=(-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 8, 10, 11, 8, 13, 14),
    left=(4, 5, 6, 10, 11, 12),
    right=(1, 2, 3, 13, 14, 15),
)


def lifter(**changes):
    torch.manual_seed(0)
    model = SemGcn(skeleton=H36M17, **{"width": 16, "blocks": 1, **changes})
    model.fit_normalisation(people(64))
    return model


@pytest.mark.parametrize(
    ("skeleton", "non_local", "count"),
    [
        (PAPERS16, False, 267_343),  # published: 0.27 M
        (PAPERS16, True, 434_703),  # published: 0.43 M
        # A joint more: three learned edges more in each of ten convolutions.
        (H36M17, False, 267_343 + 30),
        (H36M17, True, 434_703 + 30),
    ],
)
def test_it_has_the_published_number_of_parameters(skeleton, non_local, count):
    with torch.device("meta"):
        model = SemGcn(skeleton=skeleton, non_local=non_local)
    assert sum(p.numel() for p in model.parameters()) == count


def test_a_joint_mixes_itself_and_its_neighbours_with_two_weights():
    """x = (1, 2, 4) on a chain, weight 2 for oneself and 1 for others, all edges alike."""
    layer = _SemanticConv(1, 1, CHAIN)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([2.0, 1.0]).view(2, 1, 1))
        layer.bias.fill_(10.0)
    out = layer(torch.tensor([1.0, 2.0, 4.0]).view(1, 3, 1))
    # (2*1 + 2) / 2, (2*2 + 1 + 4) / 3, (2*4 + 2) / 2, and the bias.
    assert_equal_up_to_rounding(out.flatten(), [12, 13, 15], terms=8)


def test_a_stronger_edge_is_heard_by_its_listener_alone():
    layer = _SemanticConv(1, 1, CHAIN)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([0.0, 1.0]).view(2, 1, 1))
        layer.bias.zero_()
        layer.edges[CHAIN.index((1, 2))] += torch.tensor(2.0).log()
    out = layer(torch.tensor([1.0, 2.0, 4.0]).view(1, 3, 1))
    # The middle joint hears (1 + 2 * 4) / (1 + 1 + 2); the ends hear 2 / 2 as before.
    assert_equal_up_to_rounding(out.flatten(), [1, 9 / 4, 1], terms=8, magnitude=9.0)


@pytest.mark.parametrize(("non_local", "heard"), [(False, {8, 11, 12, 13}), (True, set(range(17)))])
def test_far_joints_are_heard_through_non_local_layers_only(non_local, heard):
    """Stem and output convolutions alone: the left elbow (12) hears what is two bones away."""
    model = lifter(blocks=0, non_local=non_local).eval()
    if non_local:
        torch.nn.init.ones_(model.stem[1].norm.weight)
        torch.nn.init.ones_(model.stem[1].compare.weight)  # else ReLU may silence all of them
        torch.nn.init.ones_(model.stem[1].listen.bias)
    batch = people(4)
    joints2d = batch.joints2d.requires_grad_()
    inputs, _ = model.normalisation.inputs(joints2d, batch.camera)
    model.out(model.stem(model.normalisation.by_joint(inputs.flatten(0, 1))))[
        :, 12
    ].sum().backward()
    assert set(joints2d.grad.abs().sum((0, 1, 3)).nonzero()[:, 0].tolist()) == heard


def test_a_non_local_layer_compares_every_pair_and_adds_nothing_at_first():
    torch.manual_seed(0)
    layer, x = _NonLocal(6, None).double().eval(), torch.randn(2, 5, 6, dtype=torch.float64)
    assert torch.equal(layer(x), x)
    torch.nn.init.ones_(layer.norm.weight)
    listener = layer.listen(x)[:, :, None].expand(-1, 5, 5, -1)
    speaker = layer.speak(x)[:, None].expand(-1, 5, 5, -1)
    score = layer.compare(torch.cat([listener, speaker], -1))[..., 0].relu() / 5
    found = layer.back(score @ layer.content(x))
    expected = x + layer.norm(found.flatten(0, 1)).view_as(x)
    torch.testing.assert_close(layer(x), expected)


def test_a_shortcut_goes_past_each_block_and_a_non_local_layer_stands_behind_it():
    model, batch = lifter().double().eval(), people(4)
    given = batch.joints2d.double(), batch.camera.to(torch.float64)
    torch.nn.init.zeros_(model.blocks[0][1][1].weight)  # the block's last batch norm: silent
    torch.nn.init.ones_(model.far[0].norm.weight)
    inputs, to_camera = model.normalisation.inputs(*given)
    x = model.far[0](model.stem(model.normalisation.by_joint(inputs.flatten(0, 1))))
    expected = model.normalisation.joints3d(model.out(x).flatten(1)[:, None], to_camera)
    torch.testing.assert_close(model(*given), expected)


def test_every_joint_is_told_where_the_person_stands_and_how_large():
    model = lifter(input="rays")
    inputs = torch.arange(37.0).view(1, 37)
    by_joint = model.normalisation.by_joint(inputs)
    assert by_joint.shape == (1, 17, 5)
    assert by_joint[0, 3].tolist() == [6, 7, 34, 35, 36]


@pytest.mark.parametrize("non_local", [False, True])
def test_it_can_learn_one_batch_by_heart(non_local):
    model = lifter(width=64, blocks=2, non_local=non_local, loss="mpjpe", zero_init=True)
    batch = people(24)
    optimizer = torch.optim.Adam(model.parameters(), 5e-3)
    for _ in range(200):
        optimizer.zero_grad()
        loss = model.loss(model(batch.joints2d, batch.camera), batch)
        loss.backward()
        optimizer.step()
    assert loss.item() < 20  # mm


def test_pairs_are_those_of_the_paper_and_a_joint_without_partner_is_alone():
    published = {(0, 7), (8, 9), (1, 4), (10, 13), (2, 3), (5, 6), (14, 15), (11, 12)}
    assert set(_pairs(get_skeleton("h36m16"))) == published
    assert [pair for pair in _pairs(H36M17) if pair[0] == pair[1]] == [(9, 9)]
    assert len(_pairs(H36M17)) == 9


def test_a_pair_is_heard_as_the_larger_of_both_number_by_number():
    layer = _NonLocal(4, torch.tensor([[0, 1], [2, 1]]))
    x = torch.tensor([[1.0, 5.0], [2.0, 2.0], [3.0, 4.0]])[None]
    assert layer._larger(x)[0].tolist() == [[3, 5], [2, 2]]
