"""What a detector promises: people in px of the picture as given, whatever its size.

A built-in detector is checked with random weights, which find nobody: most checks give it boxes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from posezoo.contracts import DetectedPerson
from posezoo.registry import Entry
from posezoo.skeleton import SKELETONS
from posezoo.testing.outcome import Check, NotApplicable, Violation
from posezoo.testing.subject import Subject

_BOXES = ((150.0, 170.0, 60.0, 110.0), (250.0, 160.0, 80.0, 70.0))  # px: x, y, width, height
_SIZE = (420, 500)  # height and width of the picture that they are in
_CUT = (37, 53)  # px taken away at the left and at the top; a multiple of no stride
_NEAR_PX = 0.25  # what rounding may move; a forgotten cut moves everything by `_CUT`
_AWKWARD = ((1, 1), (1, 90), (90, 1), (3, 2), (61, 37))  # height, width


def subject(entry: Entry, params: Mapping[str, Any]) -> Subject:
    """A detector; it is fed with pictures of noise."""
    return Subject(entry=entry, params=params)


def joint_set_is_known(subject: Subject) -> str:
    """`joint_set` names a set of skeletons.toml, and the manifest says the same."""
    name = subject.build().joint_set
    if name not in SKELETONS:
        raise Violation(
            found=f"joint_set {name!r}",
            expected=f"one of {', '.join(SKELETONS)}",
            advice="Name the set whose order your joints have; a new set is a stanza there.",
        )
    if (stated := subject.entry.facts.get("joint_set", name)) != name and not subject.params:
        raise Violation(
            found=f"joint_set = {stated!r} in the manifest",
            expected=f"{name!r}, as in the code",
            advice=f"Correct the stanza of {subject.entry} in its registry.toml.",
        )
    return name


def it_is_ready_to_predict(subject: Subject) -> str:
    """A detector that has networks is in eval mode from the start, and gives no gradients."""
    detector = subject.build()
    if isinstance(detector, nn.Module) and any(m.training for m in detector.modules()):
        raise Violation(
            found="modules in training mode in a detector that was just built",
            expected="eval mode: nobody trains it here",
            advice="End the constructor in self.eval().",
        )
    if any(p.joints2d.requires_grad for p in _seen(detector, _noise(*_SIZE))):
        raise Violation(
            found="joints with a gradient",
            expected="plain numbers",
            advice="Decorate the forward with torch.no_grad().",
        )
    return "a module" if isinstance(detector, nn.Module) else "no module"


def people_have_the_declared_shapes(subject: Subject) -> str:
    """Floats, finite, and every confidence from 0 to 1."""
    detector = subject.build()
    joints = SKELETONS[detector.joint_set].num_joints
    people = _seen(detector, _noise(*_SIZE))
    for person in people:
        shapes = {"box_px": (4,), "joints2d": (joints, 2), "confidence": (joints,)}
        for name, shape in shapes.items():
            value = getattr(person, name)
            found = (tuple(value.shape), value.is_floating_point(), bool(value.isfinite().all()))
            if found != (shape, True, True):
                raise Violation(
                    found=f"{name} of shape {found[0]} and type {value.dtype}"
                    + ("" if found[2] else ", not finite"),
                    expected=f"{shape}, finite floats",
                    advice="See DetectedPerson in posezoo.contracts.",
                )
        sure = [float(person.score), *person.confidence.tolist()]
        if min(sure) < 0 or max(sure) > 1:
            raise Violation(
                found=f"a score or confidence of {min(sure):.3g} to {max(sure):.3g}",
                expected="0 to 1",
                advice="Take the sigmoid of logits.",
            )
        if not isinstance(person.score, float):
            raise Violation(
                found=f"a score of type {type(person.score).__name__}",
                expected="a float",
                advice="Write float(score).",
            )
    return f"{joints} joints"


def each_box_gives_its_person(subject: Subject) -> str:
    """One for each box, in their order, whatever stands beside it; none for none."""
    detector, picture = subject.build(), _noise(*_SIZE)
    people = _seen(detector, picture)
    backwards = _seen(detector, picture, boxes=_BOXES[::-1])
    if (len(people), len(backwards)) != (len(_BOXES), len(_BOXES)):
        raise Violation(
            found=f"{len(people)} people in {len(_BOXES)} boxes",
            expected="one in each, however unlikely: the score says how sure",
            advice="Drop nobody where `boxes` are given.",
        )
    moved = max(_moved(a, b) for a, b in zip(people, backwards[::-1], strict=True))
    if moved > _NEAR_PX:
        raise Violation(
            found=f"joints {moved:.3g} px elsewhere when the boxes come in another order",
            expected="the same people in the order of their boxes",
            advice="Sort nothing where `boxes` are given.",
        )
    if _seen(detector, picture, boxes=()):
        raise Violation(found="people in no boxes", expected="an empty list", advice="")
    return ""


def joints_are_px_of_the_picture_as_given(subject: Subject) -> str:
    """Cut away the left and the top of a picture: its joints move by just as much."""
    detector, picture = subject.build(), _noise(*_SIZE)
    left, top = _CUT
    people = _seen(detector, picture)
    shifted = [(x - left, y - top, width, height) for x, y, width, height in _BOXES]
    cut = _seen(detector, picture[top:, left:].contiguous(), boxes=shifted)
    by = torch.tensor([left, top])
    moved = max(_moved(a, b, by) for a, b in zip(people, cut, strict=True))
    if moved > _NEAR_PX:
        raise Violation(
            found=f"joints {moved:.3g} px from where they were, after {left} px are cut away at "
            f"the left and {top} at the top",
            expected="the same places of the same people",
            advice="Add the corner of the crop to what was found in it, in px of the picture.",
        )
    return f"to {moved:.2g} px"


def a_flat_picture_shows_nobody(subject: Subject) -> str:
    """Grey all over: an empty list."""
    detector = subject.build()
    flat = torch.full((*_SIZE, 3), 127, dtype=torch.uint8)
    try:
        people = detector(flat)
    except ValueError as error:
        if "box" not in str(error):
            raise
        raise NotApplicable(f"it does not look for people: {error}") from error
    if people:
        raise Violation(
            found=f"{len(people)} people in a grey picture, the surest with {people[0].score:.2f}",
            expected="an empty list",
            advice="Leave out whoever is unlikely; a fresh network should find nobody.",
        )
    return ""


def awkward_pictures_are_taken(subject: Subject) -> str:
    """One pixel, one row, one column, and sides that no stride divides."""
    detector = subject.build()
    for height, width in _AWKWARD:
        whole = (0.0, 0.0, float(width), float(height))
        people = _seen(detector, _noise(height, width), boxes=(whole,))
        if len(people) != 1 or not people[0].joints2d.isfinite().all():
            raise Violation(
                found=f"{len(people)} people, or joints that are not finite, in a picture of "
                f"height {height} and width {width}",
                expected="one person in the box of the whole picture",
                advice="Divide by no size that can be 0.",
            )
    return ", ".join(f"{width} x {height}" for height, width in _AWKWARD)


def the_picture_is_left_as_it_was(subject: Subject) -> None:
    """Detectors look; they do not write."""
    picture = _noise(*_SIZE)
    before = picture.clone()
    _seen(subject.build(), picture)
    if not torch.equal(picture, before):
        raise Violation(
            found="a picture with other pixels after the detector has looked at it",
            expected="the picture as it was",
            advice="Work on a copy: picture.float() / 255, not picture /= 255.",
        )


def looking_twice_gives_the_same(subject: Subject) -> None:
    """To the bit."""
    detector, picture = subject.build(), _noise(*_SIZE)
    first, second = _seen(detector, picture), _seen(detector, picture)
    if any(not torch.equal(a.joints2d, b.joints2d) for a, b in zip(first, second, strict=True)):
        raise Violation(
            found="other joints at the second look at one picture",
            expected="the same",
            advice="Draw no random numbers, and keep no state between pictures.",
        )


def people_are_followed_in_their_order(subject: Subject) -> str:
    """`follow` gives as many as it gets, None for who is lost; it is no must."""
    detector = subject.build()
    if not hasattr(detector, "follow"):
        raise NotApplicable("it has no `follow`: people are found anew in each frame")
    picture = _noise(*_SIZE)
    people = _seen(detector, picture)
    followed = detector.follow(picture, people)
    if len(followed) != len(people) or detector.follow(picture, []):
        raise Violation(
            found=f"{len(followed)} people after {len(people)}",
            expected="one for each, in their order, None where somebody is lost",
            advice="Look for nobody else: that is what the call without boxes is for.",
        )
    return f"{sum(person is not None for person in followed)} of {len(people)}"


def _seen(
    detector: Any, picture: Tensor, *, boxes: Sequence[Sequence[float]] = _BOXES
) -> list[DetectedPerson]:
    people: list[DetectedPerson] = detector(picture, boxes=torch.tensor(boxes).reshape(-1, 4))
    return people


def _moved(first: DetectedPerson, second: DetectedPerson, by: Tensor | None = None) -> float:
    """The farthest that a joint is from where it was, px."""
    there = second.joints2d if by is None else second.joints2d + by
    return float((first.joints2d - there).norm(dim=-1).max())


def _noise(height: int, width: int) -> Tensor:  # (H, W, 3) uint8
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (height, width, 3), dtype=torch.uint8, generator=generator)


CHECKS = (
    Check(joint_set_is_known, essential=True),
    Check(it_is_ready_to_predict),
    Check(people_have_the_declared_shapes, essential=True),
    Check(each_box_gives_its_person, essential=True),
    Check(joints_are_px_of_the_picture_as_given),
    Check(a_flat_picture_shows_nobody),
    Check(awkward_pictures_are_taken),
    Check(the_picture_is_left_as_it_was),
    Check(looking_twice_gives_the_same),
    Check(people_are_followed_in_their_order),
)
