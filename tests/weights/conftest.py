import pytest
import torch
from torch import Tensor


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """The user's cache, away from the user's."""
    monkeypatch.setenv("POSEZOO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def perceptron():
    return martinez_state


def martinez_state(width: int = 4, blocks: int = 1, seed: int = 0) -> dict[str, Tensor]:
    """A small state dict with the names and shapes of weigq/3d_pose_baseline_pytorch."""
    random = torch.Generator().manual_seed(seed)

    def linear(name: str, fan_in: int, fan_out: int) -> dict[str, Tensor]:
        return {
            f"{name}.weight": torch.randn(fan_out, fan_in, generator=random) / fan_in**0.5,
            f"{name}.bias": torch.randn(fan_out, generator=random),
        }

    def norm(name: str) -> dict[str, Tensor]:
        return {
            f"{name}.weight": torch.rand(width, generator=random) + 0.5,
            f"{name}.bias": torch.randn(width, generator=random),
            f"{name}.running_mean": torch.randn(width, generator=random),
            f"{name}.running_var": torch.rand(width, generator=random) + 0.5,
            f"{name}.num_batches_tracked": torch.tensor(4321),
        }

    state = linear("w1", 32, width) | norm("batch_norm1")
    for k in range(blocks):
        for half in ("1", "2"):
            state |= linear(f"linear_stages.{k}.w{half}", width, width)
            state |= norm(f"linear_stages.{k}.batch_norm{half}")
    return state | linear("w2", width, 48)
