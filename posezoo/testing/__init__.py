"""Proof that an entry keeps the promises of its kind: `posezoo check`, and a plugin's own tests.

One file per kind holds what that kind promises; `manifest` what every entry does, and `network`
what everything with weights does.
"""

from __future__ import annotations

from posezoo.testing.conformance import conformance
from posezoo.testing.outcome import Check, NotApplicable, Outcome, Violation
from posezoo.testing.run import checks_of, run_checks

__all__ = [
    "Check",
    "NotApplicable",
    "Outcome",
    "Violation",
    "checks_of",
    "conformance",
    "run_checks",
]
