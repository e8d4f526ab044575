"""Does a row's claim hold? From the errors of its variants over the seeds."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from posezoo.report.definition import Row

Answer = Literal["agrees", "disagrees", "not significant", "nothing claimed", "not judged"]

_SURE = 2.0  # standard errors that two means must be apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Of a row, and how it came about."""

    answer: Answer
    reason: str  # one clause a pair


def judge(row: Row, errors: Mapping[str, Sequence[float]]) -> Verdict:
    """Hold a row's claims against the errors (of each seed) of its variants; less is better.

    Two means differ if they are `_SURE` standard errors apart, by the spread over seeds that all
    variants of the row share. One seed has no spread, and nothing is judged by it.
    """
    if not row.pairs:
        return Verdict(answer="nothing claimed", reason="")
    noise = spread(errors)
    known = [pair for pair in row.pairs if all(errors.get(name) for name in pair)]
    if noise is None or not known:
        return Verdict(answer="not judged", reason="one seed" if known else "a training is missing")
    found: list[Answer] = []
    reasons = []
    for first, second in known:
        gain = statistics.fmean(errors[second]) - statistics.fmean(errors[first])
        sure = _SURE * noise * math.sqrt(1 / len(errors[first]) + 1 / len(errors[second]))
        claimed = (first, second) in row.better
        if abs(gain) < sure:
            # That nothing is gained is borne out by not seeing a gain.
            found.append("not significant" if claimed else "agrees")
        else:
            found.append("agrees" if (gain > 0) == claimed else "disagrees")
        word = "better" if gain > 0 else "worse"
        doubt = " (within the spread)" if abs(gain) < sure else ""
        reasons.append(f"{first}: {abs(gain):.2f} {word} than {second}{doubt}")
    answer: Answer = "agrees"
    if "disagrees" in found:
        answer = "disagrees"
    elif "not significant" in found:
        answer = "not significant"
    return Verdict(answer=answer, reason="; ".join(reasons))


def spread(errors: Mapping[str, Sequence[float]]) -> float | None:
    """Standard deviation over seeds, taken to be one for all variants; None without any.

    A variant that sometimes fails altogether has a spread of its own; the median keeps it from
    blurring the others.
    """
    deviations = [statistics.stdev(values) for values in errors.values() if len(values) > 1]
    if not deviations:
        return None
    counts = [len(values) for values in errors.values() if len(values) > 1]
    # The median of two values' deviation lies below the true one; so for few variants as well.
    return statistics.median(deviations) / _MEDIAN.get(max(counts), 1.0)


# Median of the standard deviation of n normal numbers, in units of the true one (chi, n - 1).
_MEDIAN = {2: 0.674, 3: 0.833, 4: 0.888, 5: 0.916}
