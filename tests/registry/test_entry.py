"""One entry: its signature is its schema."""

from __future__ import annotations

import sys
import types
from typing import TYPE_CHECKING, Literal

import pytest

from posezoo.registry import Entry, PluginError, SpecError

if TYPE_CHECKING:
    from decimal import Decimal


class Lifter:
    def __init__(
        self,
        *,
        skeleton: object,
        width: int,
        form: Literal["px", "rays"] = "px",
        strides: tuple[int, ...] = (4,),
        dropout: float | None = None,
    ) -> None:
        self.given = (skeleton, width, form, strides, dropout)


def as_function(*, width: int = 3) -> int:
    return width


class Loose:
    def __init__(self, **kwargs: int) -> None: ...


class Positional:
    def __init__(self, width: int) -> None: ...


class Untyped:
    def __init__(self, *, width=3) -> None: ...


class Hidden:
    def __init__(self, *, width: Decimal) -> None: ...


def entry(target: str = "Lifter", *, kind: str = "lifter", **fields) -> Entry:
    sys.modules["entry_targets"] = module = types.ModuleType("entry_targets")
    vars(module).update(globals())
    required = {"summary": "s", "licence": "MIT", "origin": "acme-pose 1.2"}
    target = target if ":" in target else f"entry_targets:{target}"
    return Entry(kind=kind, key="acme/lift", target=target, **{**required, **fields})


def test_text_is_converted_by_the_constructors_annotations() -> None:
    lifter = entry().build(skeleton=17, width="64", form="rays", strides="4x2", dropout="none")
    assert lifter.given == (17, 64, "rays", (4, 2), None)


def test_defaults_of_the_manifest_come_before_those_of_the_constructor() -> None:
    described = entry(defaults={"width": 32, "strides": [4, 2]})
    assert described.build(skeleton=0).given == (0, 32, "px", (4, 2), None)
    assert described.build(skeleton=0, width=5).given[1] == 5
    assert described.signature()["width"].default == 32


def test_a_target_may_be_a_function() -> None:
    assert entry("as_function").build(width="7") == 7


def test_every_mistake_is_in_one_error() -> None:
    with pytest.raises(SpecError) as caught:
        entry().validate({"skeleton": "x", "from": "px", "form": "pixels"})
    assert caught.value.mistakes == (
        "lifter 'acme/lift': 'skeleton' is given by the pipeline and cannot be set",
        "lifter 'acme/lift': unknown parameter 'from'. Did you mean 'form'? "
        "See: posezoo info acme/lift",
        "lifter 'acme/lift': form: expected px | rays, got 'pixels'",
        "lifter 'acme/lift': width=... is missing: expected int",
    )


def test_a_wholly_unknown_parameter_lists_the_known_ones() -> None:
    with pytest.raises(SpecError, match="Known: width, form, strides, dropout"):
        entry().validate({"qqq": "1", "width": "1"})


def test_validating_gives_the_users_values_only() -> None:
    assert entry().validate({"width": "8"}) == {"width": 8}
    assert entry().validate({"form": "rays"}, complete=False) == {"form": "rays"}


def test_what_the_program_offers_a_dataset_need_not_be_given_by_the_user() -> None:
    def data(*, path: str, split: str, seed: int) -> tuple[str, str, int]:
        return path, split, seed

    dataset = entry(kind="dataset", constructor=data)
    assert dataset.validate({"path": "x.h5"}) == {"path": "x.h5"}
    with pytest.raises(SpecError, match=r"path=\.\.\. is missing"):
        dataset.validate({"split": "train"})
    with pytest.raises(SpecError, match=r"split=\.\.\. is missing.*seed=\.\.\. is missing"):
        dataset.build(path="x.h5")


@pytest.mark.parametrize("target", ["Loose", "Positional", "Untyped"])
def test_a_loose_signature_is_refused(target: str) -> None:
    with pytest.raises(PluginError, match="expected keyword-only arguments with types"):
        entry(target).parameters()


def test_a_type_imported_for_type_checkers_only_is_explained() -> None:
    with pytest.raises(PluginError, match="import it outside `if TYPE_CHECKING`"):
        entry("Hidden").parameters()


@pytest.mark.parametrize(
    ("target", "cause"),
    [
        ("no_such_module_at_all:X", "there is no module 'no_such_module_at_all'; mend its line"),
        ("entry_targets.deep:X", "there is no module 'entry_targets.deep'; mend its line"),
        ("entry_targets:Missing", "entry_targets has no 'Missing'. Mend its line"),
        ("entry_targets:__name__", "expected a class or function"),
    ],
)
def test_a_target_that_cannot_be_loaded_names_origin_and_cause(target: str, cause: str) -> None:
    with pytest.raises(PluginError) as caught:
        entry(target).load()
    assert "lifter 'acme/lift' (acme-pose 1.2)" in str(caught.value)
    assert cause in str(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        "raise ImportError('cannot import name x')",
        "raise RuntimeError('operator torchvision::nms does not exist')",
        "raise SystemExit(3)",
        "def broken(:",
        "1 / 0",
        "open('/no/such/file')",
        "undefined_name",
        "raise KeyError('x')",
    ],
)
def test_whatever_a_module_raises_becomes_one_error(
    body: str, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "entry_broken.py").write_text(body)
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("entry_broken", None)
    with pytest.raises(PluginError, match="cannot be imported from entry_broken:X") as caught:
        entry("entry_broken:X").load()
    assert caught.value.__cause__ is not None
