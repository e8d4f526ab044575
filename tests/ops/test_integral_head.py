from __future__ import annotations

import math

import pytest
import torch
from torch.autograd import gradcheck
from torch.utils._python_dispatch import TorchDispatchMode

from posezoo.ops import integral_head, soft_argmax


def random(*shape: int) -> torch.Tensor:
    seed = torch.Generator().manual_seed(sum(shape))
    return torch.randn(*shape, generator=seed, dtype=torch.float64)


def test_a_feature_that_only_one_plane_reads_pulls_the_joint_to_that_plane() -> None:
    features = torch.zeros(1, 1, 1, 2, dtype=torch.float64)
    features[..., 1] = math.log(3)  # one of four cells weighs three times the others
    filters = torch.tensor([[0.0], [1.0]], dtype=torch.float64)
    place = integral_head(features, filters, None, depth=2, inverse_temperature=1.0)
    assert place[0, 0].tolist() == pytest.approx([4 / 6, 0.0, 4 / 6])


def test_place_and_gradients_are_those_of_the_convolution_and_the_soft_argmax() -> None:
    tensors = [t.requires_grad_() for t in (random(2, 5, 3, 4), random(6, 5), random(6))]
    maps = torch.einsum("jc,bchw->bjhw", tensors[1], tensors[0]) + tensors[2][:, None, None]
    options = {"inverse_temperature": 0.8, "scale": (4.0, 3.0, 2.0), "offset": 1.5}
    truth = soft_argmax(maps.view(2, 3, 2, 3, 4), **options)
    found = integral_head(*tensors, depth=2, **options)
    assert torch.allclose(found, truth, atol=1e-13)
    upstream = random(2, 3, 3)
    pulls = zip(
        *(torch.autograd.grad((place * upstream).sum(), tensors) for place in (found, truth)),
        strict=True,
    )
    assert all(torch.allclose(one, other, atol=1e-13) for one, other in pulls)
    assert gradcheck(lambda *t: integral_head(*t, depth=2, **options), tensors)


class Largest(TorchDispatchMode):
    """The most elements that a result had."""

    def __init__(self) -> None:
        super().__init__()
        self.elements = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if isinstance(result, torch.Tensor):
            self.elements = max(self.elements, result.numel())
        return result


def test_no_more_than_one_joint_s_volume_ever_exists() -> None:
    features, filters = torch.randn(2, 3, 8, 8, requires_grad=True), torch.randn(5 * 16, 3)
    from posezoo.ops.integral_head import _integral_head, _integral_head_backward

    with Largest() as mode, torch.no_grad():
        options = {"depth": 16, "beta": 1.0, "scale": [1.0] * 3}
        bias = torch.zeros(80)
        place, saved = _integral_head.function(features, filters, bias, offset=[0.0] * 3, **options)
        _integral_head_backward.function(
            torch.ones_like(place), features, filters, bias, saved, **options
        )
    assert mode.elements == 2 * 16 * 8 * 8


def test_a_depth_that_does_not_divide_the_filters_is_refused() -> None:
    with pytest.raises(ValueError, match="depth: expected a divisor of 6 filters, got 4"):
        integral_head(
            torch.zeros(1, 2, 3, 3), torch.zeros(6, 2), None, depth=4, inverse_temperature=1.0
        )
    with pytest.raises(ValueError, match="filters: expected 6 maps"):
        integral_head(
            torch.zeros(1, 3, 3, 3), torch.zeros(6, 2), None, depth=3, inverse_temperature=1.0
        )
