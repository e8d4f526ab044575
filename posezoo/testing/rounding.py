"""How far two results may lie apart that differ by the order of their sums alone.

Processors, libraries and batch shapes add the same numbers in different orders. Each addition
rounds by at most half an eps of the partial sum, and no partial sum is greater than the sum of the
absolute values. Two orders of a sum of n terms are thus at most n * eps * that sum apart (Higham,
Accuracy and Stability of Numerical Algorithms, section 4.2).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor


def rounding(*, terms: int, magnitude: float, dtype: torch.dtype = torch.float32) -> float:
    """The largest difference that the order of a sum can make.

    Args:
        terms: how many roundings stand one behind the other: the length of the sum, and one for
            each product and function on the way.
        magnitude: the sum of the absolute values of the terms, or more; where all that is added is
            of one sign, the result itself.
        dtype: the type that is computed in.

    Example:
        >>> rounding(terms=8, magnitude=1000.0) == 8 * 2**-23 * 1000
        True
    """
    return terms * torch.finfo(dtype).eps * magnitude


def assert_equal_up_to_rounding(
    found: Tensor | np.ndarray,
    expected: Any,
    *,
    terms: int,
    magnitude: float | None = None,
) -> None:
    """Fail where two results are further apart than the order of their sums explains.

    Args:
        found: any shape, floating point.
        expected: of the same shape, or a number or lists of numbers that broadcast to it. The
            coarser type of the two decides what rounding is.
        terms: as in `rounding`.
        magnitude: as in `rounding`; the greatest number of either result where not given, which
            is too small where large numbers cancel.

    Raises:
        AssertionError: shapes differ, or a number is further off, or is none.
    """
    a, b = torch.as_tensor(found), torch.as_tensor(expected)
    given = isinstance(expected, Tensor | np.ndarray)
    assert a.is_floating_point(), f"found: expected floating point, got {a.dtype}"
    assert not given or a.shape == b.shape, f"found {tuple(a.shape)}, expected {tuple(b.shape)}"
    floats = [t.dtype for t in (a, b) if t.is_floating_point() and (t is a or given)]
    coarsest = max(floats, key=lambda dtype: torch.finfo(dtype).eps)
    a, b = torch.broadcast_tensors(a.detach().cpu().double(), b.detach().cpu().double())
    if magnitude is None:
        magnitude = max(a.abs().max().item(), b.abs().max().item()) if a.numel() else 0.0
    limit = rounding(terms=terms, magnitude=magnitude, dtype=coarsest)
    off = (a - b).abs()
    if wrong := int((~(off <= limit) | ~off.isfinite()).sum()):
        worst = int(off.nan_to_num(torch.inf).argmax())
        raise AssertionError(
            f"{wrong} of {off.numel()} numbers are more than {limit:.3g} apart ({terms} roundings "
            f"of {coarsest} at {magnitude:.3g}); the worst: {a.flatten()[worst]:.9g} found, "
            f"{b.flatten()[worst]:.9g} expected, {off.flatten()[worst]:.3g} apart"
        )
