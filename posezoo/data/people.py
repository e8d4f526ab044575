"""Who is held out. People are split by name, so that nobody is seen on both sides.

A name is on the same side in whatever files it stands, whoever else is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

SPLITS = ("train", "val", "all")

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
        raise ValueError(
            f"nobody is left for split {split!r} of {_names(people)}; hold out fewer by val="
        )
    return tuple(sorted(in_split))


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
