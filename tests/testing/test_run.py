"""What every entry promises, how checks end, and the decorator for a plugin's own tests."""

import pytest
import torch
from torch import Tensor, nn

from posezoo.registry import SpecError, catalog
from posezoo.testing import checks_of, conformance, run_checks

PLUGIN = '''
import posezoo
from posezoo.lifters.martinez import Martinez

@posezoo.register("lifter", "{key}", summary="Martinez again.", licence="MIT")
class Again(Martinez):
    """The same network, and a part of its output 1 mm off."""

    def forward(self, joints2d, camera):  # (B, T, J, 2) px to mm
        return super().forward(joints2d, camera) + 1
'''


def test_arguments_of_any_name_are_refused_and_nothing_else_is_tried(outcomes):
    class Anything(nn.Module):
        """Takes what comes."""

        def __init__(self, **kwargs: int) -> None:
            super().__init__()

    first, *others = outcomes("lifter", Anything)
    assert first.result == "failed"
    assert "argument '**kwargs: int' of" in first.found
    assert first.expected == "a class or function whose arguments are all keyword-only and typed"
    assert "no **kwargs: typos must fail" in first.advice
    assert {o.note for o in others} == {"'signature is keyword only and typed' failed"}
    assert {o.result for o in others} == {"skipped"}


def test_a_dataset_must_take_what_the_program_gives(failures):
    class NoSeed:
        """Cannot be seeded."""

        def __init__(self, *, split: str, image_size: int, pictures: bool) -> None: ...

    found = failures("dataset", NoSeed)
    assert "split, image_size, pictures, seed" in found["signature is keyword only and typed"]


class Plain(nn.Module):
    def __init__(self, *, skeleton: object) -> None:
        super().__init__()

    def forward(self, joints2d: Tensor, camera):
        return joints2d


def test_a_class_without_the_members_of_its_kind_is_told_once(outcomes):
    class Bare(Plain):
        """(B, T, J, 2) px to mm, and nothing else."""

        def forward(self, joints2d: Tensor, camera):  # (B, T, J, 2) px to mm
            return joints2d

    found = outcomes("lifter", Bare)
    (failed,) = [o for o in found if o.result == "failed"]
    assert failed.check == "members of its kind are there"
    assert (
        failed.found == "no frames, no future, no takes_confidence, no fit_normalisation, no loss"
    )
    assert {o.note for o in found if o.result == "skipped"} == {f"'{failed.check}' failed"}


def test_no_docstring(failures):
    message = failures("lifter", Plain)["docstring states shapes and units"]
    assert "found no docstring at" in message


def test_a_forward_without_shapes_and_units(failures):
    class Silent(Plain):
        """A docstring, but no units."""

        def forward(self, joints2d: Tensor, camera):
            return joints2d

    message = failures("lifter", Silent)["docstring states shapes and units"]
    assert "found a forward of Silent that says nowhere (B, T, px, mm" in message


@pytest.mark.parametrize(
    ("card", "found"),
    [
        ({"summary": "No full stop"}, "a summary of 12 characters: 'No full stop'"),
        ({"summary": "x" * 90 + "."}, "a summary of 91 characters"),
        ({"licence": "unknown"}, "licence 'unknown'"),
    ],
)
def test_a_card_that_is_not_fit_to_print(failures, card, found):
    assert f"found {found}" in failures("lifter", Plain, **card)["summary and licence are stated"]


def test_an_error_of_the_entry_s_own_is_a_failure_that_names_the_line(failures):
    class Crashes(Plain):
        """(B, T, J, 2) px to mm."""

        frames, future, takes_confidence = 1, 0, False

        def fit_normalisation(self, batch):
            return {}["mean"]

        def loss(self, predicted, batch): ...

    message = failures("lifter", Crashes)["eval is deterministic"]
    assert message.startswith("found KeyError at test_run.py:")
    assert message.endswith("(posezoo.contracts says what is passed to it).")


def test_checks_leave_torch_s_random_numbers_as_they_were(failures):
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    run_checks("martinez:width=8")
    assert torch.equal(torch.rand(1), expected)


def test_parameters_are_given_as_in_a_spec():
    found = {o.check: o.note for o in run_checks("martinez:width=8,blocks=1")}
    layers, scales = (34 * 8 + 8) + 2 * (8 * 8 + 8) + (8 * 51 + 51), 3 * 2 * 8
    assert found["builds on the meta device"] == f"{layers + scales} weights"


def test_a_file_that_is_needed_is_asked_for():
    with pytest.raises(SpecError, match=r"dataset 'mocap': path=... is missing"):
        run_checks("mocap")


def test_a_key_of_another_kind_is_refused():
    with pytest.raises(SpecError, match="'martinez' is a lifter, not a head"):
        run_checks("martinez", kind="head")


@conformance("lifter", "martinez:width=8")
def test_the_decorator_runs_every_check(check):
    check()


def test_the_decorator_names_the_checks():
    mark = conformance("martinez:width=8").mark
    assert mark.args[0] == "check"
    assert mark.kwargs["ids"] == [check.name for check in checks_of("lifter")]


def test_the_decorator_fails_in_the_words_of_the_breach_and_skips_with_the_reason(tmp_path):
    file = tmp_path / "again.py"
    file.write_text(PLUGIN.format(key="once_more"))
    mark = conformance("once_more", plugin=file).mark
    calls = dict(zip(mark.kwargs["ids"], mark.args[1], strict=True))
    with pytest.raises(pytest.fail.Exception, match="a root up to 1 mm from 0"):
        calls["root is exactly zero"]()
    with pytest.raises(pytest.skip.Exception, match="the manifest states none of frames"):
        calls["manifest facts equal code facts"]()
    catalog.discard([catalog.find("lifter", "once_more")])


@pytest.mark.parametrize("words", [("lifter", "martinez", "x"), ()])
def test_the_decorator_wants_an_entry(words):
    with pytest.raises(SpecError, match="expected a kind and an entry, or an entry"):
        conformance(*words)
