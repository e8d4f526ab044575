"""`posezoo check`."""

import json

import pytest

BROKEN = '''
import posezoo
from posezoo.lifters.martinez import Martinez

@posezoo.register("lifter", "adrift", summary="Leaves its root.", licence="MIT")
class Adrift(Martinez):
    """Martinez, whose root lies 1 mm off."""

    def forward(self, joints2d, camera):  # (B, T, J, 2) px to mm
        return super().forward(joints2d, camera) + 1
'''


@pytest.fixture
def plugin(tmp_path, clean_registry):
    file = tmp_path / "adrift.py"
    file.write_text(BROKEN)
    return file


def test_a_sound_entry_passes_a_numbered_list_of_checks(invoke):
    result = invoke("check", "martinez:width=8")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[1].split() == [
        *("1", "signature", "is", "keyword", "only", "and", "typed", "passed", "10", "parameters"),
    ]
    assert lines[-1] == "lifter 'martinez': 20 passed"


def test_a_broken_entry_is_told_what_was_found_expected_and_what_to_do(invoke, plugin):
    result = invoke("check", "--plugin", plugin, "adrift")
    assert result.exit_code == 1
    (line,) = [line for line in result.stdout.splitlines() if "FAILED" in line]
    assert "root is exactly zero" in line
    assert "found a root up to 1 mm from 0; expected exactly 0. End the forward in" in line
    assert "1 failed" in result.stdout.splitlines()[-1]


def test_json_has_the_three_sentences(invoke, plugin):
    result = invoke("check", "--plugin", plugin, "adrift", "--kind", "lifter", "--json")
    assert result.exit_code == 1
    (failed,) = [o for o in json.loads(result.stdout) if o["result"] == "failed"]
    assert failed["entry"] == "lifter 'adrift'"
    assert failed["found"] == "a root up to 1 mm from 0"
    assert failed["expected"] == "exactly 0"
    assert failed["advice"].startswith("End the forward")


def test_all_of_a_kind_is_a_line_each_and_what_needs_a_file_is_named(invoke):
    result = invoke("check", "--all", "--kind", "dataset")
    assert result.exit_code == 0, result.output
    (line,) = result.stdout.splitlines()
    assert line.startswith("dataset 'synthetic': ")
    assert "dataset 'mocap' (posezoo): not checked: " in result.stderr
    assert "path=... is missing" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "expected KEY, or --all"),
        (("martinez", "--all"), "expected KEY, or --all"),
        (("martinz",), "Did you mean 'martinez'"),
        (("martinez", "--kind", "head"), "is a lifter, not a head"),
        (("mocap",), "path=... is missing"),
        (("martinez:widht=8",), "Did you mean 'width'"),
    ],
)
def test_a_mistake_in_the_call_ends_in_2(invoke, arguments, message):
    result = invoke("check", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
