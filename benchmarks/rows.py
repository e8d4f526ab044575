"""What one measurement is, whatever group it belongs to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One measurement. Fields that do not apply are None."""

    group: str
    operation: str
    implementation: str
    shape: tuple[int, ...] | None = None
    setting: str | None = None  # of what is measured, beyond its shape and type
    dtype: str | None = None
    mode: str | None = None  # forward, backward or both
    gate: str = "pass"  # or why there is no speed
    best_ms: float | None = None
    p20_ms: float | None = None
    p50_ms: float | None = None
    p80_ms: float | None = None
    ratio: float | None = None  # this implementation's best over posezoo's, same run
    gbps: float | None = None  # bytes of the floor over the best time
    floor_us: float | None = None  # those bytes at the copy bandwidth of this run
    copy_percent: float | None = None
    kernels: int | None = None
    moved_mb: float | None = None  # by eager operations
    peak_mb: float | None = None
    value: float | None = None  # of a row that is no time: see `unit`
    unit: str | None = None
