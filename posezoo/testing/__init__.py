"""Proof that an entry keeps the promises of its kind: `posezoo check`, and a plugin's own tests.

One file per kind holds what that kind promises; `manifest` what every entry does, and `network`
what everything with weights does; `rounding` says how equal two results can be.
"""

from __future__ import annotations

from posezoo.testing.conformance import conformance
from posezoo.testing.outcome import Check, NotApplicable, Outcome, Violation
from posezoo.testing.rounding import assert_equal_up_to_rounding, rounding
from posezoo.testing.run import checks_of, run_checks

__all__ = [
    "Check",
    "NotApplicable",
    "Outcome",
    "Violation",
    "assert_equal_up_to_rounding",
    "checks_of",
    "conformance",
    "rounding",
    "run_checks",
]
