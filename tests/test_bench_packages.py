"""The field's own packages measure the same thing as ours, where they are installed."""

import pytest
import torch

from benchmarks import groups, packages
from benchmarks.kernels import cases

CPU = torch.device("cpu")
SHAPES = [(2, 3, 12, 20), (1, 2, 6, 8, 10)]


def ways_of(operation: str, shape: tuple[int, ...]) -> dict[str, object]:
    (case,) = (each for each in cases(shape, CPU, torch.float32) if each.operation == operation)
    sound, broken = groups._gate(case)
    assert not broken
    return sound


@pytest.mark.parametrize("shape", SHAPES)
def test_who_is_not_installed_is_not_in_the_bench(monkeypatch, shape):
    monkeypatch.setattr(packages, "installed", lambda package: False)
    assert list(ways_of("soft_argmax", shape)) == ["posezoo torch", "textbook", "marginals"]


@pytest.mark.parametrize("shape", SHAPES)
def test_dsntnn_s_own_soft_argmax_passes_the_gate(shape):
    pytest.importorskip("dsntnn")
    assert packages.DSNTNN in ways_of("soft_argmax", shape)


def test_dsntnn_s_own_loss_passes_the_gate():
    pytest.importorskip("dsntnn")
    assert packages.DSNTNN in ways_of("dsnt_loss js", SHAPES[0])


def test_kornia_s_own_soft_argmax_passes_the_gate():
    pytest.importorskip("kornia")
    assert packages.KORNIA in ways_of("soft_argmax", SHAPES[0])
