"""What a dataset promises of its order: which item stands at an index, and who is in a split."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from posezoo.camera import Camera
from posezoo.contracts import Batch
from posezoo.testing.items import PX, has_pictures, spread
from posezoo.testing.outcome import Check, NotApplicable, Violation
from posezoo.testing.rounding import rounding
from posezoo.testing.subject import Subject

_BESIDE_OTHERS = 64  # operations on the way to a joint, which a batch may order otherwise


def items_depend_on_seed_and_index_alone(subject: Subject) -> str:
    """Not on what was asked before, on another random generator, or on the process."""
    first, second = subject.build(), subject.build()
    places = [0, len(first) - 1, len(first)]  # the last: item 0, seen anew
    torch.manual_seed(1)
    one_by_one = [first[i] for i in places]
    torch.manual_seed(2)
    backwards = [second[i] for i in reversed(places)][::-1]
    worker = DataLoader(first, sampler=places, batch_size=None, num_workers=1)
    advice = "Draw from a generator made of (seed, index), not from torch's, numpy's or self."
    for others, found in (
        (backwards, "another item when asked for in another order"),
        ([*worker], "another item in a worker process"),
    ):
        for place, a, b in zip(places, one_by_one, others, strict=True):
            if name := _difference(a, b):
                raise Violation(
                    found=f"{found}: {name} of item {place}",
                    expected="the same item for the same seed and index",
                    advice=advice,
                )
    here, there = ((item.subject, item.action) for item in one_by_one[::2])
    if here != there:
        raise Violation(
            found=f"{' and '.join(here)} at index 0, {' and '.join(there)} at index len(dataset)",
            expected="the same item, perhaps seen anew",
            advice="Take index % len(self) for what is shown, index for how it is shown.",
        )
    return f"items {places}"


def batches_equal_their_items(subject: Subject) -> str:
    """`__getitems__` and `labels2d`, where there are such, give what the items give."""
    data = subject.build()
    places = [len(data) - 1, 0]
    items = Batch.collate([data[i] for i in places])
    if hasattr(data, "labels2d") and not torch.equal(data.labels2d(places), items.labelled2d):
        raise Violation(
            found="labels2d that are not the labelled2d of the items",
            expected="the same, of shape (N, T, J) and of the same frames",
            advice="Let labels2d(indices) say which 2D joints of those items are known.",
        )
    if not hasattr(data, "__getitems__"):
        raise NotApplicable("there is no __getitems__")
    batch = data.__getitems__(places)
    if name := _difference(batch, items, roundings=_BESIDE_OTHERS):
        raise Violation(
            found=f"{name} of a batch other than that of its items",
            expected="the same",
            advice="Let __getitem__(i) take the only sample of __getitems__([i]).",
        )
    return ""


def people_are_on_one_side_only(subject: Subject) -> str:
    """Nobody of `val` is in `train`, and items are of the people that the split names."""
    splits = {name: subject.build(split=name) for name in ("train", "val")}
    people = {name: set(data.subjects) for name, data in splits.items()}
    for name, data in splits.items():
        people[name] |= set(spread(data).subject)
        if unnamed := people[name] - set(data.subjects):
            raise Violation(
                found=f"items of {', '.join(sorted(unnamed))} in split '{name}', whose `subjects` "
                f"are {', '.join(data.subjects)}",
                expected="items of those people only",
                advice="Choose the items by the people of the split.",
            )
    if both := people["train"] & people["val"]:
        raise Violation(
            found=f"{', '.join(sorted(both)[:3])} in both splits",
            expected="each person on one side: errors on people already seen say little",
            advice="Split by person, not by frame (posezoo.data.people.split_people).",
        )
    return f"{len(people['train'])} people in train, {len(people['val'])} in val"


def windows_show_the_frames_around_a_pose(subject: Subject) -> str:
    """With frames and future, item i is pose i with its context."""
    if not {"frames", "future"} <= set(subject.entry.signature()):
        raise NotApplicable("it has no sequences (no arguments frames and future)")
    single = spread(subject.build(split="val"))
    window = spread(subject.build(split="val", frames=3, future=1))
    if window.joints3d.shape[1] != 3:
        raise Violation(
            found=f"T = {window.joints3d.shape[1]} with frames=3",
            expected="3 frames",
            advice="Return (T, J, ...) with T = frames.",
        )
    apart = (window.joints3d[:, 1] - single.joints3d[:, 0]).norm(dim=-1).max().item()
    if not apart < 1.0:  # mm; another frame of somebody who moves is farther
        raise Violation(
            found=f"a pose {apart:.3g} mm from that of frames=1, at frame 1 of frames=3, future=1",
            expected="pose i at place frames - 1 - future of item i",
            advice="Take frames i - (frames - 1 - future) to i + future, ends repeated.",
        )
    return "frames=3, future=1"


def pictures_are_drawn_only_if_wanted(subject: Subject) -> str:
    """image_size=0 or pictures=false: no picture, and everything else as it was."""
    if not has_pictures(subject):
        raise NotApplicable("this data has no pictures")
    with_picture = subject.build(image_size=PX, pictures=True)[0]
    without = subject.build(image_size=PX, pictures=False)[0]
    if without.image is not None or with_picture.image is None:
        raise Violation(
            found=f"pictures=true gives {_described(with_picture.image)}, pictures=false "
            f"{_described(without.image)}",
            expected="a picture, and none",
            advice="Return image=None unless pictures and image_size are both set.",
        )
    apart = (with_picture.joints2d - without.joints2d).abs().max().item()
    if apart != 0:
        raise Violation(
            found=f"joints2d {apart:.3g} px elsewhere without the picture",
            expected="the same px of the same crop",
            advice="Crop by image_size alone; pictures only says whether it is drawn.",
        )
    return _described(with_picture.image)


def _difference(a: Any, b: Any, *, roundings: int = 0) -> str:
    """The first field in which two samples differ by more than that many roundings, or nothing."""
    for field in fields(a):
        one, other = getattr(a, field.name), getattr(b, field.name)
        if isinstance(one, Camera):
            one, other = one.parameters, other.parameters
        if not (_close(one, other, roundings) if isinstance(one, Tensor) else one == other):
            return field.name
    return ""


def _close(a: Tensor, b: Tensor, roundings: int) -> bool:
    """Equal, or with roundings as near as the order of sums allows: a grey level of a picture."""
    if not roundings or a.dtype == torch.bool or a.shape != b.shape:
        return torch.equal(a, b)
    apart = (a.double() - b.double()).abs().max().item()
    if not a.is_floating_point():
        return apart <= 1
    return apart <= rounding(terms=roundings, magnitude=a.abs().max().item(), dtype=a.dtype)


def _described(image: Tensor | None) -> str:
    return "no picture" if image is None else f"a picture of {tuple(image.shape)}"


CHECKS = (
    Check(items_depend_on_seed_and_index_alone),
    Check(batches_equal_their_items),
    Check(people_are_on_one_side_only),
    Check(windows_show_the_frames_around_a_pose),
    Check(pictures_are_drawn_only_if_wanted),
)
