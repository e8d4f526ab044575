"""What the checks of datasets share: whether there are pictures, and items from all over."""

from __future__ import annotations

from typing import Any

from posezoo.contracts import Batch
from posezoo.testing.subject import Subject

PX = 64  # of the pictures that are looked at
_ITEMS = 24


def has_pictures(subject: Subject) -> bool:
    """Whether it can show them; a store of poses alone refuses."""
    try:
        subject.build(image_size=PX, pictures=True)
    except ValueError:
        return False
    return True


def spread(data: Any) -> Batch:
    """Items spread over the split."""
    step = max(1, len(data) // _ITEMS)
    return Batch.collate([data[i] for i in range(0, len(data), step)][:_ITEMS])
