"""What is said of weights: by the index, and by the cache where they are on this machine."""

from __future__ import annotations

from typing import Any

from posezoo.weights.get import find_weights
from posezoo.weights.index import known_weights
from posezoo.weights.store import all_stored, stored_weights


def weights_card(name: str) -> dict[str, Any]:
    """Facts of weights that are known, stored, or both; `path` is None where they are not here.

    Raises:
        ValueError: neither the index nor the cache knows the name.
    """
    here = name in all_stored()
    card: dict[str, Any] = {"name": name}
    if name in known_weights() or not here:
        known = find_weights(name)
        card |= {
            "summary": known.summary,
            "source": known.source,
            "licence": known.licence,
            "paper": known.paper,
            "spec": known.spec,
            "joint_set": known.joint_set,
            "command": known.command,
        }
    else:
        card |= {"licence": "", "spec": "", "command": None} | stored_weights(name).about
    stored = stored_weights(name) if here else None
    return card | {
        "path": None if stored is None else str(stored.path),
        "bytes": None if stored is None else stored.bytes,
        "sha256": None if stored is None else stored.sha256,
    }
