"""The regularisers of DSNT's loss, and what its forward keeps of each map for its backward."""

from __future__ import annotations

import triton.language as tl

JS, KL, VARIANCE = tl.constexpr(1), tl.constexpr(2), tl.constexpr(3)
REGULARISERS = {"none": 0, "js": JS.value, "kl": KL.value, "variance": VARIANCE.value}

# Float32 numbers of a map, by place. The last two depend on the regulariser.
OFF_X, OFF_Y = tl.constexpr(0), tl.constexpr(1)  # mean less the true joint, cells
TOP = tl.constexpr(2)  # the greatest of beta v
TOTAL = tl.constexpr(3)  # sum of exp(beta v - TOP): with it the probabilities
P_SUM = tl.constexpr(4)  # js, kl: sum of p times the slope's logarithm
NORM = tl.constexpr(5)  # js, kl: logarithm of the sum of the true Gaussian
VAR_X, VAR_Y = tl.constexpr(4), tl.constexpr(5)  # variance: square cells
SAVED = tl.constexpr(8)  # places of a map: two lie idle, so that each starts on 32 bytes
