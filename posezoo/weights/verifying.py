"""Parity: our network with another project's weights, beside what their code gave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from posezoo.hints import shown
from posezoo.npz_file import read_arrays
from posezoo.weights.family import Config
from posezoo.weights.importing import Imported, import_file
from posezoo.weights.reading import Warn

# Float32 rounding alone makes some 1e-6 of the largest output; a wrong eps makes 1e-3 and more.
TOLERANCE = 1e-4


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The largest difference between two runs of one network."""

    family: str
    spec: str
    max_abs_diff: float
    max_abs_output: float

    @property
    def equal(self) -> bool:
        """Whether the difference is what rounding makes."""
        return self.max_abs_diff <= TOLERANCE * self.max_abs_output


def verify(
    path: Path,
    case: Path,
    *,
    spec: str = "",
    config: Config | None = None,
    trust: bool = False,
    warn: Warn,
) -> tuple[Verdict, Imported]:
    """Import a file, run its network as the original was run, and compare with what that gave.

    Args:
        path: the weights.
        case: an .npz with the original's "input" and "output", perhaps "more_input" and
            "more_output", and whatever else the network takes, by name.
        spec: as in `import_file`; where several families fit, their networks are the same.
        config: as in `import_file`.
        trust: as in `import_file`.
        warn: as in `import_file`.

    Raises:
        ValueError: a file that cannot be imported, or a case that does not fit it.
    """
    arrays = _read(case)
    imported = import_file(path, spec=spec, config=config, trust=trust, warn=warn, take_first=True)
    diff = largest = 0.0
    for prefix in ("", "more_"):
        if f"{prefix}input" not in arrays:
            continue
        inputs = {**arrays, "input": arrays[f"{prefix}input"]}
        expected = arrays[f"{prefix}output"]
        found = _run(imported, inputs, case)
        if found.shape != expected.shape:
            raise ValueError(
                f"{case}: {prefix}output is {tuple(expected.shape)}, the network gives "
                f"{tuple(found.shape)} for {tuple(inputs['input'].shape)}"
            )
        gap = (found.double() - expected.double()).abs().max().item()
        # NaN compares as nothing; it is as wrong as can be.
        diff = max(diff, gap if np.isfinite(gap) else float("inf"))
        largest = max(largest, expected.abs().max().item())
    verdict = Verdict(
        family=imported.family.name,
        spec=str(imported.pipeline.spec),
        max_abs_diff=diff,
        max_abs_output=largest,
    )
    return verdict, imported


@torch.inference_mode()
def _run(imported: Imported, inputs: Mapping[str, Tensor], case: Path) -> Tensor:
    try:
        return imported.family.run(imported.pipeline, inputs, imported.config)
    except (RuntimeError, LookupError, ValueError) as error:
        shape = tuple(inputs["input"].shape)
        raise ValueError(
            f"{case}: the {imported.family.name} network does not take its input {shape}: {error}. "
            "Say what the weights cannot by --config"
        ) from error


def _read(case: Path) -> dict[str, Tensor]:
    arrays: dict[str, Tensor] = {}
    for name, array in read_arrays(case).items():
        if array.dtype.kind == "f":
            with np.errstate(over="ignore"):
                arrays[name] = torch.from_numpy(array.astype(np.float32))
        elif array.dtype.kind in "iub":
            arrays[name] = torch.from_numpy(array)
    if lacking := {"input", "output"} - arrays.keys():
        raise ValueError(
            f"{case}: lacks '{min(lacking)}'; it holds {shown(', '.join(arrays) or 'nothing', 200)}"
        )
    return arrays
