"""State dicts with the originals' names, and the originals' formulas written down again.

Plain and slow on purpose, in float64: nothing here is what the lifters use.
"""

import math

import pytest
import torch
from torch import Tensor

from posezoo.weights.importing import import_file


class Original(dict[str, Tensor]):
    """Tensors by the original's names, made one after the other, and what is computed with them."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.random = torch.Generator().manual_seed(seed)

    def draw(self, name: str, *shape: int, spread: float = 0.5) -> None:
        self[name] = torch.randn(shape, generator=self.random) * spread

    def draw_linear(self, name: str, fan_in: int, fan_out: int, *, bias: bool = True) -> None:
        self.draw(f"{name}.weight", fan_out, fan_in, spread=1.2 / fan_in**0.5)
        if bias:
            self.draw(f"{name}.bias", fan_out)

    def draw_norm(self, name: str, width: int) -> None:
        self[f"{name}.weight"] = torch.rand(width, generator=self.random) + 0.5
        self.draw(f"{name}.bias", width)

    def draw_batch_norm(self, name: str, width: int) -> None:
        self.draw_norm(name, width)
        self.draw(f"{name}.running_mean", width)
        self[f"{name}.running_var"] = torch.rand(width, generator=self.random) + 0.5
        self[f"{name}.num_batches_tracked"] = torch.tensor(4321)

    def draw_attention(self, name: str, width: int, *, bias: bool = True) -> None:
        self.draw_linear(f"{name}.qkv", width, 3 * width, bias=bias)
        self.draw_linear(f"{name}.proj", width, width)

    def draw_mlp(self, name: str, width: int, hidden: int) -> None:
        self.draw_linear(f"{name}.fc1", width, hidden)
        self.draw_linear(f"{name}.fc2", hidden, width)

    def draw_block(self, name: str, width: int, hidden: int) -> None:
        for norm in ("norm1", "norm2"):
            self.draw_norm(f"{name}.{norm}", width)
        self.draw_attention(f"{name}.attn", width)
        self.draw_mlp(f"{name}.mlp", width, hidden)

    def get64(self, name: str) -> Tensor:
        return self[name].double()

    def linear(self, name: str, x: Tensor) -> Tensor:
        bias = self.get64(f"{name}.bias") if f"{name}.bias" in self else 0.0
        return x @ self.get64(f"{name}.weight").T + bias

    def norm(self, name: str, x: Tensor, eps: float) -> Tensor:
        mean = x.mean(-1, keepdim=True)
        variance = (x - mean).square().mean(-1, keepdim=True)
        scaled = (x - mean) / (variance + eps).sqrt()
        return scaled * self.get64(f"{name}.weight") + self.get64(f"{name}.bias")

    def batch_norm(self, name: str, x: Tensor) -> Tensor:
        """Of the last axis, as in eval mode."""
        scale = self.get64(f"{name}.weight") / (self.get64(f"{name}.running_var") + 1e-5).sqrt()
        return (x - self.get64(f"{name}.running_mean")) * scale + self.get64(f"{name}.bias")

    def mlp(self, name: str, x: Tensor) -> Tensor:
        x = self.linear(f"{name}.fc1", x)
        return self.linear(f"{name}.fc2", x * (1 + torch.erf(x / math.sqrt(2))) / 2)

    def attention(self, name: str, x: Tensor, heads: int) -> Tensor:
        """Of one sequence of tokens, (tokens, width): all of q, then k, then v, head after head."""
        width = x.shape[-1]
        size = width // heads
        qkv = self.linear(f"{name}.qkv", x)
        heard = torch.zeros_like(x)
        for head in range(heads):
            q, k, v = (
                qkv[:, part * width + head * size : part * width + (head + 1) * size]
                for part in range(3)
            )
            for token in range(len(x)):
                weight = (k @ q[token] / math.sqrt(size)).exp()
                heard[token, head * size : (head + 1) * size] = weight @ v / weight.sum()
        return self.linear(f"{name}.proj", heard)

    def block(self, name: str, x: Tensor, heads: int) -> Tensor:
        """Of one sequence of tokens."""
        x = x + self.attention(f"{name}.attn", self.norm(f"{name}.norm1", x, 1e-6), heads)
        return x + self.mlp(f"{name}.mlp", self.norm(f"{name}.norm2", x, 1e-6))

    def mix(self, name: str, one: Tensor, other: Tensor) -> Tensor:
        weight = self.linear(name, torch.cat([one, other], -1)).exp()
        first = weight[..., :1] / weight.sum(-1, keepdim=True)
        return first * one + (1 - first) * other


@pytest.fixture
def original() -> Original:
    return Original()


@pytest.fixture
def check_import(tmp_path):
    """Import a state dict and run it beside what its formulas gave."""

    def check(state, x, expected, *, spec, config=None, family=None, tolerance=1e-10):
        torch.save({"epoch": 1, "model_pos": {f"module.{n}": t for n, t in state.items()}},
                   tmp_path / "weights.bin")  # fmt: skip
        found = import_file(
            tmp_path / "weights.bin", config=config, spec=family or "", warn=lambda text: None
        )
        assert str(found.pipeline.spec) == spec
        found.pipeline.double()
        with torch.no_grad():
            got = found.family.run(found.pipeline, {"input": x.double()}, found.config)
        assert got.shape == expected.shape
        assert (got - expected).abs().max() < tolerance * expected.abs().max()
        return found

    return check
