"""Who is held out. People are split by name, so that nobody is seen on both sides.

A name is on the same side in whatever files it stands, whoever else is there. Data of one person
only are split by sequence, or by time with a gap; what is held out then has a name that says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

SPLITS = ("train", "val", "all")
_FEWEST_FRAMES = 10  # of one sequence, to be split by time

# Chosen so that names of CMU which may be one person (1, 16, 17; 5, 49) fall on one side.
_SALT = "8"


def split_people(
    people: Sequence[str],
    val: str,
    split: str,
    without: str = "",
) -> tuple[str, ...]:
    """The people of a split, sorted.

    Args:
        people: everybody there is.
        val: who is held out, names between "/"; empty: each with a chance of one fifth by a hash
            of the name, at least one.
        split: "train" (all but those held out), "val" (those) or "all".
        without: who is in no split at all, names between "/".

    Raises:
        ValueError: an unknown split or name, or nobody left in the split.
    """
    if split not in SPLITS:
        raise ValueError(f"split is {split!r}, expected one of {', '.join(SPLITS)}")
    left_out = set(without.split("/")) if without else set()
    if unknown := sorted(left_out.difference(people)):
        raise ValueError(f"without names {', '.join(unknown)}; the people are {_names(people)}")
    people = sorted(set(people) - left_out)
    if val:
        held_out = set(val.split("/"))
        if unknown := sorted(held_out.difference(people)):
            raise ValueError(f"val names {', '.join(unknown)}; the people are {_names(people)}")
    elif people:
        place = {name: _hash_fraction(name) for name in people}
        held_out = {name for name in people if place[name] < 0.2} or {
            min(place, key=place.__getitem__)
        }
    else:
        held_out = set()
    in_split = {"train": set(people) - held_out, "val": held_out, "all": set(people)}[split]
    if not in_split:
        cure = "hold out fewer by val=" if len(people) > 1 else (
            "all there is is one person, in too few frames to be split: add people or frames, or "
            "take it for evaluation only"
        )  # fmt: skip
        raise ValueError(f"nobody is left for split {split!r} of {_names(people)}; {cure}")
    return tuple(sorted(in_split))


def parts_of_one_person(
    person: str,
    sequence: NDArray[Any],  # (N,) names or numbers
    frame: NDArray[np.int64],  # (N,)
) -> NDArray[np.str_]:  # (N,)
    """The person's name for what is trained on, a marked one for what is held out, "" for the gap.

    A fifth of the sequences is held out, by a hash; of a single one its last fifth, and as much
    as a twentieth before that is in neither part. Under ten frames there is but one part.
    """
    names = np.unique(sequence)
    parts = np.full(len(sequence), person, dtype=object)
    if len(names) > 1:
        place = {name: _hash_fraction(str(name)) for name in names.tolist()}
        held_out = [name for name in place if place[name] < 0.2]
        if not 0 < len(held_out) < len(names):
            held_out = [min(place, key=place.__getitem__)]
        parts[np.isin(sequence, held_out)] = f"{person} (held-out sequences)"
    else:
        ticks = np.unique(frame)
        if len(ticks) >= _FEWEST_FRAMES:
            last = len(ticks) - len(ticks) // 5
            gap = max(1, len(ticks) // 20)
            parts[frame >= ticks[last - gap]] = ""
            parts[frame >= ticks[last]] = f"{person} (last fifth)"
    return parts.astype(np.str_)


def balanced_items(
    subject: NDArray[np.str_],  # (N,)
    balance: float,
) -> NDArray[np.int64]:  # (M,) rows, each at least once
    """Rows repeated so that people count as the number of their rows to the power 1 - balance.

    Whoever has most rows has each of them once; at balance 1 all others are repeated to as many.
    """
    items = []
    _, person, counts = np.unique(subject, return_inverse=True, return_counts=True)
    shares = np.rint(counts.max() ** balance * counts ** (1 - balance)).astype(np.int64)
    for number, (count, share) in enumerate(zip(counts, shares, strict=True)):
        items.append(np.flatnonzero(person == number)[np.arange(share) * count // share])
    return np.concatenate(items)


def _names(people: Sequence[str]) -> str:
    return "/".join(sorted(set(people)))


def _hash_fraction(name: str) -> float:
    digest = blake2b(f"{_SALT}/{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2.0**64
