"""What `state.json` of a resumable checkpoint holds: how far a run has come."""

from __future__ import annotations

from typing import Annotated, Any, NotRequired, TypeAlias, TypedDict

from msgspec import Meta

from posezoo.typed_files import Count

# A float as repr writes it; infinity, which JSON has not, among them.
Number: TypeAlias = Annotated[str, Meta(pattern=r"^(inf|-?\d+(\.\d+)?(e[-+]?\d+)?)$")]


class ScheduleState(TypedDict):
    """Of `posezoo.training.schedule.Schedule`."""

    reduced: Annotated[float, Meta(ge=0)]
    best: Number
    waited: Count


class MeterState(TypedDict):
    """Of `posezoo.training.meter.Meter`."""

    sums: dict[str, float]
    steps: Count


class Progress(TypedDict):
    """Of `posezoo.training.loop.Training`."""

    step: Count
    settings: NotRequired[dict[str, Any]]  # older ones have none
    schedule: ScheduleState
    meter: MeterState
    best: Number
    best_step: Count
    ema_updates: Count
