"""What a kernel costs, known without a GPU: registers, spills, vector width, predicted time.

Every launcher is run on tensors of the meta device while `launch.recording` notes what it would
launch; exactly those (kernel, types, constants, warps) are compiled for sm_80 and sm_90 with the
assembler that comes with Triton. Run as a process of its own, since TRITON_INTERPRET excludes it:
`python -m posezoo_kernels.static [--all]` prints one JSON object per kernel and architecture.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import triton
from torch import Tensor
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from posezoo_kernels import decode, dsnt_loss, gaussian_heatmaps, heatmap_mse, soft_argmax
from posezoo_kernels.launch import Launch, recording

ARCHITECTURES = (80, 90)
_MULTIPROCESSORS, _CLOCK_HZ, _BYTES_PER_S = 132, 1.755e9, 4.3e12  # H200
_TYPES = {
    torch.float32: "*fp32",
    torch.float16: "*fp16",
    torch.bfloat16: "*bf16",
    torch.int64: "*i64",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One compiled kernel. `issue_us` and `bytes_us` are for the whole launch on an H200."""

    operation: str
    kernel: str
    dtype: str
    shape: tuple[int, ...]
    arch: int
    registers: int
    spill_bytes: int  # per thread: stack and local memory
    shared_bytes: int
    load_bits: int  # widest global load, 0 if none
    store_bits: int
    grid: tuple[int, ...]
    issue_us: float
    bytes_us: float

    @property
    def predicted_us(self) -> float:
        """The greater of what the instructions and what the bytes take."""
        return max(self.issue_us, self.bytes_us)


def reports(*, everything: bool = False) -> Iterator[Report]:
    """Compile what the launchers launch at 64x64 (fp32, bf16); `everything` adds fp16 and shapes."""
    dtypes = [torch.float32, torch.bfloat16, *([torch.float16] if everything else [])]
    sizes = [(256, 17, 64, 64), (2, 17, 64, 64, 64)]
    if everything:
        sizes += [(256, 17, 128, 128), (256, 17, 64, 48)]
    seen = set()
    for shape in sizes:
        for dtype in dtypes:
            for operation, call in _calls(shape, dtype):
                with recording() as launches:
                    call()
                for item in launches:
                    source = _source(item)
                    key = (item.kernel.fn.__qualname__, item.kernel.fn.__module__, source.hash())
                    if key not in seen:
                        seen.add(key)
                        for arch in ARCHITECTURES:
                            yield _compile(operation, item, source, arch, shape, dtype)


def _calls(shape: tuple[int, ...], dtype: torch.dtype) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Every launcher of every operation at this shape."""
    axes, pair = len(shape) - 2, shape[:2]
    maps = torch.empty(shape, dtype=dtype, device="meta")
    some = torch.empty(shape[1], device="meta")
    joints = torch.empty((*pair, axes), device="meta")
    weight = torch.empty(pair, device="meta")
    target = {"sigma": 2.0, "peak": 1.0, "cut": False, "quantised": False}
    yield (
        "gaussian_heatmaps",
        lambda: gaussian_heatmaps.render(joints, list(shape[2:]), dtype=dtype, **target),
    )
    yield "heatmap_mse", lambda: heatmap_mse.forward(maps, joints, weight, **target)
    yield "heatmap_mse", lambda: heatmap_mse.backward(weight, maps, joints, weight, **target)
    layouts = [("soft_argmax", maps)]
    if axes == 2:
        layouts.append(
            ("soft_argmax channels_last", maps.to(memory_format=torch.channels_last))
        )
    saved = torch.empty((*pair, axes + 2), device="meta")
    affine: dict[str, Any] = {"scale": [4.0] * axes, "offset": [1.5] * axes}
    for name, laid in layouts:
        for learnt, softmax, moments in (
            (None, True, False),
            (some, True, False),
            (None, False, False),
            (None, True, True),
        ):
            yield name, _bound(
                soft_argmax.forward,
                laid, learnt, beta=1.0, softmax=softmax, moments=moments, **affine,
            )  # fmt: skip
            if not moments:
                yield name, _bound(
                    soft_argmax.backward,
                    joints, laid, learnt, saved, beta=1.0, softmax=softmax, scale=affine["scale"],
                )  # fmt: skip
    if axes == 3:
        return
    order = torch.empty(shape[1], dtype=torch.int64, device="meta")
    for refine in ("none", "quarter", "taylor", "dark", "udp"):
        for mirrored in (None, maps):
            yield "decode", _bound(
                decode.forward,
                maps, mirrored, None if mirrored is None else order, flip_shift=False,
                refine=refine, blur_cells=11, blur_sigma=2.0, limit=1.0, **affine,
            )  # fmt: skip
    loss = {"beta": 1.0, "sigma": 2.0, "strength": 1.0, "scale": [1.0, 1.0]}
    for regulariser in ("none", "js", "kl", "variance"):
        names = {"distance": "euclidean", "regulariser": regulariser}
        yield "dsnt_loss", _bound(dsnt_loss.forward, maps, joints, weight, **loss, **names)
        kept = torch.empty((*pair, 8), device="meta")
        yield (
            "dsnt_loss",
            _bound(dsnt_loss.backward, weight, maps, joints, weight, kept, **loss, **names),
        )


def _bound(function: Callable[..., Any], *arguments: Any, **options: Any) -> Callable[[], Any]:
    return lambda: function(*arguments, **options)


def _source(item: Launch) -> ASTSource:
    """Types, constants and alignment exactly as Triton's own launch would specialise them."""
    signature, constants, aligned = {}, {}, {}
    for index, parameter in enumerate(item.kernel.params):
        value = item.arguments[parameter.name]
        if parameter.is_constexpr or (type(value) is int and value == 1):
            signature[parameter.name], constants[parameter.name] = "constexpr", value
        elif isinstance(value, Tensor):
            signature[parameter.name] = _TYPES[value.dtype]
            aligned[(index,)] = [["tt.divisibility", 16]]
        elif isinstance(value, float):
            signature[parameter.name] = "fp32"
        else:
            signature[parameter.name] = "i32"
            if value % 16 == 0:
                aligned[(index,)] = [["tt.divisibility", 16]]
    return ASTSource(item.kernel, signature, constants, aligned)


def _compile(
    operation: str,
    item: Launch,
    source: ASTSource,
    arch: int,
    shape: tuple[int, ...],
    dtype: torch.dtype,
) -> Report:
    options = {"num_warps": item.num_warps}
    compiled = triton.compile(source, target=GPUTarget("cuda", arch, 32), options=options)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kernel.cubin"
        path.write_bytes(compiled.asm["cubin"])
        dump = [triton.knobs.nvidia.cuobjdump.path, "-res-usage", str(path)]
        usage = subprocess.run(dump, check=True, capture_output=True, text=True).stdout
    used = {name: int(value) for name, value in re.findall(r"(REG|STACK|LOCAL):(\d+)", usage)}
    assembly = compiled.asm["sass"]
    spill = used["STACK"] + used["LOCAL"]
    if spill == 0 and re.search(r"\b(STL|LDL)\b", assembly):
        spill = 4
    programs = 1
    for extent in item.grid:
        programs *= extent
    issued = _issued(assembly, item) * item.num_warps * programs
    return Report(
        operation=operation,
        kernel=item.kernel.fn.__name__,
        dtype=str(dtype).removeprefix("torch."),
        shape=shape,
        arch=arch,
        registers=used["REG"],
        spill_bytes=spill,
        shared_bytes=compiled.metadata.shared,
        load_bits=_widest(assembly, "LDG"),
        store_bits=_widest(assembly, "STG"),
        grid=item.grid,
        issue_us=issued / (4 * _MULTIPROCESSORS * _CLOCK_HZ) * 1e6,
        bytes_us=_bytes(item, shape) / _BYTES_PER_S * 1e6,
    )


def _widest(assembly: str, operation: str) -> int:
    widths = re.findall(rf"\b{operation}\.E(?:\.[A-Z0-9_]+)*", assembly)
    return max((int(m) if (m := _width(w)) else 32 for w in widths), default=0)


def _width(instruction: str) -> str | None:
    found = re.search(r"\.(128|64|16|8)\b|\.[US](16|8)\b", instruction)
    return (found.group(1) or found.group(2)) if found else None


def _issued(assembly: str, item: Launch) -> float:
    """Instructions that one warp issues: those of a loop as often as its loads cover the part."""
    lines = re.findall(r"^\s*(?:/\*([0-9a-f]{4,})\*/)?\s*(.*?)\s*;?\s*$", assembly, re.M)
    code, labels = [], {}
    for address, text in lines:
        label = re.match(r"\.?(L_x_\d+|\.L_\S+?):", text) or re.match(r"(\.\S+):$", text)
        if label:
            labels[label.group(1)] = len(code)
        elif address or re.match(r"(@!?U?P\w+\s+)?[A-Z][A-Z0-9_.]+\b", text):
            code.append(text)
    total = float(len(code))
    c = item.arguments
    trips = c.get("PART", c.get("H", 0)) // c.get("BR", c.get("BP", 1)) if "PART" in c else 0
    if not trips:
        trips = triton.cdiv(c.get("H", 1), c.get("BR", 1)) if len(item.grid) == 1 else 1
    for index, text in enumerate(code):
        jump = re.search(r"\bBRA\S*\s+.*?`?\(?(\.?L_x_\d+|0x[0-9a-f]+)", text)
        if jump and (start := labels.get(jump.group(1).lstrip("."))) is not None and start < index:
            total += (index - start) * max(trips - 1, 0)
    return total


def _bytes(item: Launch, shape: tuple[int, ...]) -> float:
    """Bytes of all arguments as large as the maps: each is read or written once."""
    cells = 1
    for extent in shape:
        cells *= extent
    seen, total = set(), 0.0
    for name, value in item.arguments.items():
        if isinstance(value, Tensor) and value.numel() == cells and id(value) not in seen:
            seen.add(id(value))
            total += value.numel() * value.element_size()
            del name
    return total


if __name__ == "__main__":
    for report in reports(everything="--all" in sys.argv):
        print(json.dumps(asdict(report) | {"predicted_us": report.predicted_us}), flush=True)
