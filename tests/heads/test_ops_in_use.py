"""An operation with a kernel is there for a head: what no head calls goes, kernel and tests too."""

import ast
from pathlib import Path

import pytest

import posezoo.heads
from posezoo import ops

HEADS = [*Path(posezoo.heads.__path__[0]).glob("*.py")]
OPERATIONS = [name for name in ops.__all__ if name[0].islower() and "backend" not in name]


def called(name):
    """The keyword arguments with which heads call an operation, call by call."""
    return [
        {argument.arg for argument in node.keywords}
        for file in HEADS
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == f"ops.{name}"
    ]


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_head_calls_it(name):
    assert called(name), f"ops.{name}: give it the head that it was made for, or delete it"


def test_maps_of_the_mirrored_picture_are_given_to_the_decoder():
    assert any("flipped" in arguments for arguments in called("decode"))
