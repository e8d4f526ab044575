from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.library import opcheck
from torch.utils._python_dispatch import TorchDispatchMode

from posezoo.ops import (
    backend,
    backend_in_use,
    decode,
    dispatch,
    dsnt_loss,
    gaussian_heatmaps,
    head_mse,
    heatmap_mse,
    integral_head,
    moments,
    soft_argmax,
)
from posezoo.testing import assert_equal_up_to_rounding

JOINTS = torch.tensor([[[2.2, 3.1], [4.4, 0.3], [1.0, 1.6]]]).expand(2, 3, 2)


FILTERS = torch.linspace(-1, 1, 18).view(6, 3)


def maps(*, grad: bool = True, dtype: torch.dtype = torch.float32) -> Tensor:
    seed = torch.Generator().manual_seed(0)
    return torch.randn(2, 3, 6, 7, generator=seed, dtype=dtype).requires_grad_(grad)


def assert_same(found: Tensor, truth: Tensor) -> None:
    """Two sums of 42 cells and 3 channels one behind the other, of nothing greater than 1000."""
    assert_equal_up_to_rounding(found, truth, terms=2 * (42 + 3), magnitude=1000.0)


OPERATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gaussian_heatmaps": lambda m: m * gaussian_heatmaps(JOINTS, m.shape[2:], sigma_cells=1.0),
    "heatmap_mse": lambda m: heatmap_mse(m, JOINTS, sigma_cells=1.0),
    "soft_argmax": lambda m: soft_argmax(m, inverse_temperature=2.0, scale=4.0, offset=1.5),
    "soft_argmax learnt": lambda m: soft_argmax(
        m, inverse_temperature=m.detach().mean((0, 2, 3)).exp()
    ),
    "soft_argmax sum": lambda m: soft_argmax(m, normalize="sum"),
    "moments": lambda m: (
        moments(m, inverse_temperature=2.0).covariance
        + moments(m, inverse_temperature=1.0).mean[..., None]
    ),
    "decode": lambda m: decode(m, refine="dark")[0] + m.mean(),
    "dsnt_loss": lambda m: dsnt_loss(m, JOINTS, sigma_cells=1.0),
    "head_mse": lambda m: head_mse(m, FILTERS[:3].to(m.dtype), None, JOINTS, sigma_cells=1.0) * 2,
    "integral_head": lambda m: integral_head(
        m, FILTERS.to(m.dtype), None, depth=2, inverse_temperature=1.0
    ),
}
each_operation = pytest.mark.parametrize("name", OPERATIONS)


def value_and_gradient(function: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    given = maps(dtype=torch.float64)
    value = function(given)
    return value.detach(), torch.autograd.grad(value.sum(), given)[0]


@each_operation
def test_compiled_without_a_break_it_gives_the_same(name: str) -> None:
    compiled = torch.compile(OPERATIONS[name], fullgraph=True, backend="aot_eager")
    for found, truth in zip(
        value_and_gradient(compiled), value_and_gradient(OPERATIONS[name]), strict=True
    ):
        assert_same(found, truth)


@each_operation
def test_it_can_be_exported(name: str) -> None:
    class Module(torch.nn.Module):
        def forward(self, given: Tensor) -> Tensor:
            return OPERATIONS[name](given)

    given = maps(grad=False, dtype=torch.float64)
    exported = torch.export.export(Module(), (given,)).module()
    assert_same(exported(given), OPERATIONS[name](given))


@each_operation
def test_without_data_it_still_knows_shape_and_type(name: str) -> None:
    real = OPERATIONS[name](maps(grad=False))
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        fake = OPERATIONS[name](mode.from_tensor(maps(grad=False)))
    assert (fake.shape, fake.dtype) == (real.shape, real.dtype)


@pytest.mark.parametrize("name", ["heatmap_mse", "soft_argmax", "soft_argmax sum", "decode"])
def test_it_maps_over_one_more_axis(name: str) -> None:
    one = maps(grad=False, dtype=torch.float64)
    many = torch.stack([one, one + 0.5])
    together = torch.func.vmap(OPERATIONS[name])(many)
    assert_same(together, torch.stack([OPERATIONS[name](m) for m in many]))


AFFINE: dict[str, Any] = {"scale": [4.0, 4.0], "offset": [1.5, 1.5]}
TARGET: dict[str, Any] = {"sigma": 1.0, "peak": 1.0, "cut": False, "quantised": False}
DSNT: dict[str, Any] = {
    "beta": 1.0,
    "sigma": 1.0,
    "strength": 1.0,
    "scale": [1.0, 1.0],
}


@pytest.mark.parametrize(
    ("operator", "arguments", "options"),
    [
        ("gaussian_heatmaps", (JOINTS, [6, 7]), TARGET | {"dtype": torch.float32}),
        ("heatmap_mse", (maps(), JOINTS, torch.ones(2, 3)), TARGET),
        (
            "soft_argmax",
            (maps(), torch.ones(3, requires_grad=True)),
            {"beta": 1.0, "softmax": True, "moments": True} | AFFINE,
        ),
        (
            "decode",
            (maps(grad=False), None, None),
            {"flip_shift": False, "refine": "dark", "blur": 11, "limit": 1.0} | AFFINE,
        ),
        (
            "dsnt_loss",
            (maps(), JOINTS, torch.ones(2, 3)),
            DSNT | {"distance": "l1", "regulariser": "js"},
        ),
        (
            "integral_head",
            (maps(), FILTERS.clone().requires_grad_(), torch.zeros(6)),
            {"depth": 2, "beta": 1.0, "scale": [1.0] * 3, "offset": [0.0] * 3},
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_torch_finds_the_operator_sound(
    operator: str, arguments: tuple[Any, ...], options: dict[str, Any]
) -> None:
    opcheck(getattr(torch.ops.posezoo, operator).default, arguments, options)


@each_operation
def test_a_call_that_nobody_watches_passes_no_dispatcher_and_gives_the_same(name: str) -> None:
    class Watching(TorchDispatchMode):
        names: list[str] = []  # noqa: RUF012 - of this class only

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            self.names.append(func.namespace)
            return func(*args, **(kwargs or {}))

    plain = value_and_gradient(OPERATIONS[name])
    with Watching() as mode:
        watched = value_and_gradient(OPERATIONS[name])
    assert "posezoo" in mode.names
    for pair in zip(plain, watched, strict=True):
        assert_same(*pair)
    with torch.profiler.profile() as profile:
        OPERATIONS[name](maps())
    assert [e.key for e in profile.key_averages() if e.key.startswith("posezoo::")] == []


@pytest.mark.parametrize("name", ["heatmap_mse", "soft_argmax", "dsnt_loss", "head_mse"])
def test_a_graph_that_is_kept_gives_the_same_gradient_twice(name: str) -> None:
    given = maps()
    value = OPERATIONS[name](given).square().sum()
    first = torch.autograd.grad(value, given, retain_graph=True)[0].clone()
    assert torch.equal(torch.autograd.grad(value, given)[0], first)


def test_a_gradient_of_a_gradient_is_refused_rather_than_wrong() -> None:
    given = maps()
    value = soft_argmax(given, inverse_temperature=1.0).square().sum()
    with pytest.raises(RuntimeError):
        torch.autograd.grad(value, given, create_graph=True)[0].sum().backward()


def test_on_a_machine_without_cuda_auto_is_torch_and_the_choice_ends_with_its_block() -> None:
    assert backend_in_use() == ("triton" if torch.cuda.is_available() else "torch")
    with backend("torch"):
        assert not dispatch.use_triton(maps())
        with backend("triton"):
            assert dispatch.use_triton(maps())
            assert backend_in_use() == "triton"
        assert backend_in_use() == "torch"


def test_a_word_that_is_no_backend_is_refused() -> None:
    with pytest.raises(ValueError, match="expected one of auto, torch, triton, got 'cuda'"):
        with backend("cuda"):  # type: ignore[arg-type]
            pass


@pytest.mark.skipif(torch.cuda.is_available(), reason="Triton can run here")
def test_asking_for_triton_where_it_cannot_run_says_why() -> None:
    code = "import posezoo.ops as o; o.backend_in_use()"
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    environment |= {"POSEZOO_BACKEND": "triton", "PYTHONPATH": os.pathsep.join(sys.path)}
    run = [sys.executable, "-c", code]
    result = subprocess.run(run, env=environment, capture_output=True, text=True, check=False)
    assert "POSEZOO_BACKEND: triton cannot run here: there is no CUDA device" in result.stderr


def test_without_triton_installed_the_torch_path_does_all() -> None:
    code = """
import sys
sys.modules["triton"] = None
import importlib.util, torch
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *a: None if name == "triton" else find(name, *a)
from posezoo.ops import backend_in_use, soft_argmax, heatmap_mse
maps = torch.randn(2, 3, 6, 7, requires_grad=True)
loss = heatmap_mse(maps, torch.ones(2, 3, 2), sigma_cells=1.0).sum()
(loss + soft_argmax(maps, inverse_temperature=1.0).sum()).backward()
print(backend_in_use(), maps.grad.isfinite().all().item())
"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    run = [sys.executable, "-W", "error", "-c", code]
    result = subprocess.run(run, env=environment, capture_output=True, text=True, check=False)
    assert result.stdout.strip() == "torch True", result.stderr


def test_on_a_gpu_that_is_not_there_every_operation_would_launch_its_kernels() -> None:
    code = """
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from posezoo_kernels.launch import recording
from posezoo.ops import decode, dsnt_loss, gaussian_heatmaps, head_mse, heatmap_mse
from posezoo.ops import integral_head, moments, soft_argmax
with FakeTensorMode():
    maps = torch.empty(4, 17, 64, 64, device="cuda", dtype=torch.bfloat16)
    joints = torch.empty(4, 17, 2, device="cuda")
    filters = torch.empty(17, 17, device="cuda")
    for call in (
        lambda: decode(maps, refine="udp"),
        lambda: dsnt_loss(maps, joints, sigma_cells=1.0),
        lambda: gaussian_heatmaps(joints, (64, 64), sigma_cells=1.0),
        lambda: heatmap_mse(maps, joints, sigma_cells=1.0),
        lambda: moments(maps, inverse_temperature=1.0),
        lambda: soft_argmax(maps, inverse_temperature=1.0),
        lambda: head_mse(maps, filters, None, joints, sigma_cells=1.0),
        lambda: integral_head(maps, filters, None, depth=1, inverse_temperature=1.0),
    ):
        with recording() as launches:
            call()
        print(*(item.kernel.__name__ for item in launches))
"""
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    run = [sys.executable, "-c", code]
    result = subprocess.run(run, env=environment, capture_output=True, text=True, check=False)
    launched = [
        "_decode",
        "_forward",
        "_render",
        "_forward",
        "_forward combine",
        "_forward combine",
        "_sweep",
        "_forward combine",
    ]
    assert result.stdout.splitlines() == launched, result.stderr
