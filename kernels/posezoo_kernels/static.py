"""What a kernel costs, known without a GPU: registers, spills, vector width, predicted time.

Every launcher is run on tensors of the meta device while `launch.recording` notes what it would
launch; exactly those (kernel, types, constants, warps) are compiled for sm_80 and sm_90 with the
assembler that comes with Triton. Run as a process of its own, since TRITON_INTERPRET excludes it:
`python -m posezoo_kernels.static [--all]` prints one JSON object per kernel and architecture.
"""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
import triton
from torch import Tensor
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from posezoo_kernels import (
    decode,
    dsnt_loss,
    gaussian_heatmaps,
    head_mse,
    heatmap_mse,
    integral_head,
    soft_argmax,
)
from posezoo_kernels.launch import Launch, recording

ARCHITECTURES = (80, 90)
_MULTIPROCESSORS, _CLOCK_HZ, _BYTES_PER_S = 132, 1.755e9, 4.3e12  # H200
_TYPES = {
    torch.float32: "*fp32",
    torch.float16: "*fp16",
    torch.bfloat16: "*bf16",
    torch.int32: "*i32",
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
    issue_us: float | None  # what the instructions take if nothing waits; sm_90
    bytes_us: float  # what reading and writing the maps once takes at 4.3 TB/s


def reports(*, thorough: bool = False) -> Iterator[Report]:
    """Compile what the launchers launch at B=256 64x64 and B=2 64^3, J=17.

    `thorough` is every option of every operation in three dtypes, with 128x128 and 64x48 maps;
    otherwise one case of each kernel in float32 (with `issue_us`) and bfloat16.
    """
    dtypes = [torch.float32, torch.bfloat16, *([torch.float16] if thorough else [])]
    sizes = [(256, 17, 64, 64), (2, 17, 64, 64, 64)]
    if thorough:
        sizes += [(256, 17, 128, 128), (256, 17, 64, 48)]
    seen = set()
    for shape in sizes:
        for dtype in dtypes:
            for operation, call in _calls(shape, dtype, thorough=thorough):
                with recording() as launches:
                    call()
                for item in launches:
                    source = _source(item)
                    if (key := (item.kernel, source.hash())) not in seen:
                        seen.add(key)
                        for arch in ARCHITECTURES:
                            yield _compile(
                                operation,
                                item,
                                source,
                                arch,
                                shape,
                                dtype,
                                roofline=thorough or dtype == torch.float32,
                            )


def _calls(
    shape: tuple[int, ...], dtype: torch.dtype, *, thorough: bool
) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Every launcher of every operation at this shape."""
    axes, pair = len(shape) - 2, shape[:2]
    maps = torch.empty(shape, dtype=dtype, device="meta")
    learnt = torch.empty(shape[1], device="meta")
    joints = torch.empty((*pair, axes), device="meta")
    weight = torch.empty(pair, device="meta")
    saved = torch.empty((*pair, axes + 2), device="meta")
    target = {"sigma": 2.0, "peak": 1.0, "cut": False, "quantised": False}
    affine: dict[str, Any] = {"scale": [4.0] * axes, "offset": [1.5] * axes}
    render = partial(gaussian_heatmaps.render, joints, list(shape[2:]), dtype=dtype)
    yield "gaussian_heatmaps", partial(render, **target)
    layouts = {"": maps}
    if axes == 2:
        layouts[" channels_last"] = maps.to(memory_format=torch.channels_last)
    for suffix, laid in layouts.items():
        mse, soft = "heatmap_mse" + suffix, "soft_argmax" + suffix
        yield mse, partial(heatmap_mse.forward, laid, joints, weight, **target)
        yield mse, partial(heatmap_mse.backward, weight, laid, joints, weight, **target)
        for beta, softmax in ((None, True), (learnt, True), (None, False))[: 3 if thorough else 1]:
            options: dict[str, Any] = {"beta": 1.0, "softmax": softmax}
            yield soft, partial(soft_argmax.forward, laid, beta, moments=False, **options, **affine)
            arguments = joints, laid, beta, saved
            yield soft, partial(soft_argmax.backward, *arguments, scale=affine["scale"], **options)
        options = {"beta": 1.0, "softmax": True, "moments": True}
        yield "moments" + suffix, partial(soft_argmax.forward, laid, None, **options, **affine)
        if axes == 2:
            yield from _planar_calls(suffix, laid, joints, weight, affine, thorough=thorough)
            if thorough or bool(suffix) == (dtype == torch.bfloat16):
                yield from _head_calls(suffix, laid, joints, weight)


def _planar_calls(
    suffix: str,
    maps: Tensor,
    joints: Tensor,
    weight: Tensor,
    affine: dict[str, Any],
    *,
    thorough: bool,
) -> Iterator[tuple[str, Callable[[], Any]]]:
    """The operations that exist in two dimensions only."""
    order = torch.empty(maps.shape[1], dtype=torch.int64, device="meta")
    blur: dict[str, Any] = {"blur_cells": 11, "blur_sigma": 2.0, "limit": 1.0, "flip_shift": False}
    for refine in ("dark", "none", "quarter", "taylor", "udp")[: 5 if thorough else 1]:
        call = partial(decode.forward, maps, refine=refine, **blur, **affine)
        yield f"decode {refine}{suffix}", partial(call, None, None)
        yield f"decode {refine} flip{suffix}", partial(call, torch.empty_like(maps), order)
    kept = torch.empty((*weight.shape, 8), device="meta")
    options: dict[str, Any] = {"beta": 1.0, "sigma": 2.0, "strength": 1.0, "scale": [1.0, 1.0]}
    for regulariser in ("js", "variance", "none", "kl")[: 4 if thorough else 2]:
        options |= {"distance": "euclidean", "regulariser": regulariser}
        name, inputs = f"dsnt_loss {regulariser}{suffix}", (maps, joints, weight)
        yield name, partial(dsnt_loss.forward, *inputs, **options)
        yield name, partial(dsnt_loss.backward, weight, *inputs, kept, **options)


def _head_calls(
    suffix: str, maps: Tensor, joints: Tensor, weight: Tensor
) -> Iterator[tuple[str, Callable[[], Any]]]:
    """The operations with a convolution, on features of as many channels as their kernels take."""
    batch, count, height, width = maps.shape
    features = maps.new_empty((batch, head_mse.MOST_CHANNELS, height, width))
    if suffix:
        features = features.to(memory_format=torch.channels_last)
    filters = maps.new_empty((count, features.shape[1]))
    target = {"sigma": 2.0, "peak": 1.0, "cut": False, "quantised": False}
    inputs = features, filters, weight[0], joints, weight
    yield "head_mse" + suffix, partial(head_mse.forward, *inputs, **target)
    depth = min(height, integral_head.MOST_PRODUCTS // features.shape[1])
    volumes = maps.new_empty((count * depth, features.shape[1]))
    options: dict[str, Any] = {"joints": count, "beta": 1.0, "scale": [1.0] * 3}
    inputs = features, volumes, volumes[:, 0]
    offset = [0.0] * 3
    name = "integral_head" + suffix
    yield name, partial(integral_head.forward, *inputs, offset=offset, **options)
    grad, saved = weight.new_empty((batch, count, 3)), weight.new_empty((batch, count, 5))
    yield name, partial(integral_head.backward, grad, *inputs, saved, **options)


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
    *,
    roofline: bool,
) -> Report:
    options = {"num_warps": item.num_warps}
    compiled = triton.compile(source, target=GPUTarget("cuda", arch, 32), options=options)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kernel.cubin"
        path.write_bytes(compiled.asm["cubin"])
        dump = [triton.knobs.nvidia.cuobjdump.path, "-res-usage", str(path)]
        usage = subprocess.run(dump, check=True, capture_output=True, text=True).stdout
    used = {name: int(value) for name, value in re.findall(r"(REG|STACK|LOCAL):(\d+)", usage)}
    programs = math.prod(item.grid)
    issued = None
    if arch == ARCHITECTURES[-1] and roofline:  # disassembling takes longer than compiling
        issued = _issued(compiled.asm["sass"], item) * item.num_warps * programs
    return Report(
        operation=operation,
        kernel=item.kernel.fn.__name__,
        dtype=str(dtype).removeprefix("torch."),
        shape=shape,
        arch=arch,
        registers=used["REG"],
        spill_bytes=used["STACK"] + used["LOCAL"],
        shared_bytes=compiled.metadata.shared,
        load_bits=_widest(compiled.asm["ptx"], "ld"),
        store_bits=_widest(compiled.asm["ptx"], "st"),
        grid=item.grid,
        issue_us=issued and issued / (4 * _MULTIPROCESSORS * _CLOCK_HZ) * 1e6,
        bytes_us=_bytes(item, shape) / _BYTES_PER_S * 1e6,
    )


def _widest(ptx: str, operation: str) -> int:
    """Bits of the widest global load or store of one thread, 0 if there is none."""
    found = re.findall(rf"\b{operation}\.global(?:\.\w+)*?(?:\.v(\d))?\.b(\d+)", ptx)
    return max((int(count or 1) * int(bits) for count, bits in found), default=0)


def _issued(assembly: str, item: Launch) -> int:
    """Instructions that one warp issues, those of a loop as often as the launcher says."""
    named, tile = item.arguments, item.arguments.get("BR", item.arguments.get("BP", 1))
    rows = named.get("PART", named["H"] if len(item.grid) == 1 else tile)
    trips = list(item.trips)
    labels: dict[str, int] = {}
    total = 0
    for line in assembly.splitlines():
        if label := re.match(r"(\w+):$", line):
            labels[label.group(1)] = total
        elif "\t" in line:
            total += 1
            jump = re.search(r"\bBRA\S* .*?(\w+);", line)
            if jump and (start := labels.get(jump.group(1))) is not None:
                again = trips.pop(0) if trips else triton.cdiv(rows, tile)
                total += (total - start) * (again - 1)
    return total


def _bytes(item: Launch, shape: tuple[int, ...]) -> int:
    """Bytes of all arguments as large as the maps or larger: each is read or written once."""
    if item.kernel.fn.__name__ == "_refine":  # a patch of each map
        return 0
    large = {
        id(value): value.numel() * value.element_size()
        for value in item.arguments.values()
        if isinstance(value, Tensor) and value.numel() >= math.prod(shape)
    }
    return sum(large.values())


def main() -> None:
    """Print one JSON object per kernel and architecture."""
    for report in reports(thorough="--all" in sys.argv):
        print(json.dumps(asdict(report)), flush=True)


if __name__ == "__main__":
    main()
