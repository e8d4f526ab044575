"""Opens a dataset under test, and takes items from all over it."""

from __future__ import annotations

from typing import Any

from posezoo.contracts import Batch
from posezoo.testing.subject import Subject

PX = 64  # of the pictures that are looked at
_ITEMS = 24


def opened(subject: Subject, **changes: Any) -> Any:
    """The dataset without pictures, train split and seed 0, unless said otherwise."""
    return subject.build(
        **{"split": "train", "image_size": 0, "pictures": False, "seed": 0, **changes}
    )


def has_pictures(subject: Subject) -> bool:
    """Whether it can show them; a store of poses alone refuses."""
    try:
        opened(subject, image_size=PX, pictures=True)
    except ValueError:
        return False
    return True


def spread(data: Any) -> Batch:
    """Items spread over the split."""
    step = max(1, len(data) // _ITEMS)
    return Batch.collate([data[i] for i in range(0, len(data), step)][:_ITEMS])
