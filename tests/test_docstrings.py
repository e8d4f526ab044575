"""What docstrings show is true, and those of what everybody starts from are whole."""

import doctest
import importlib
import inspect
import re

import pytest
import torch

import posezoo.ops
from posezoo import camera, metrics, registry
from posezoo.camera import Camera

OPERATIONS = [getattr(posezoo.ops, name) for name in posezoo.ops.__all__]
MODULES = {each.__module__ for each in OPERATIONS}
MODULES |= {f"posezoo.{name}" for name in ("camera", "metrics", "testing.rounding")}
# What is no function of tensors, or only makes, moves and indexes what the others take.
WITHOUT = {"BackendUnavailable", "Moments", "backend", "backend_in_use", "to", "pin_memory"}


@pytest.mark.parametrize("name", sorted(MODULES))
def test_the_examples_of_a_module_print_what_they_say(name):
    module = importlib.import_module(name)
    found = doctest.testmod(module, extraglobs={"torch": torch})
    assert not found.failed, f"python -m doctest says above what {name} prints"


def public(module):
    here = vars(module).items()
    return [f for n, f in here if inspect.isfunction(f) and f.__module__ == module.__name__
            and not n.startswith("_")]  # fmt: skip


@pytest.mark.parametrize(
    "function",
    [
        *OPERATIONS,
        *public(metrics),
        *public(camera),
        *(f for n, f in vars(Camera).items() if not n.startswith("_") and callable(f)),
        *(Camera.make, Camera.stack),
    ],
    ids=lambda function: function.__qualname__,
)
def test_every_public_function_of_ops_metrics_and_camera_has_an_example(function):
    assert function.__name__ in WITHOUT or ">>> " in (function.__doc__ or "")


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("backbone", "resnet50"),
        ("head", "hm"),
        ("lifter", "martinez"),
        ("strategy", "multitask"),
        ("dataset", "synthetic"),
        ("dataset", "mocap"),
        ("dataset", "store"),
    ],
)
def test_the_default_entries_document_every_argument(kind, key):
    entry = registry.find(kind, key)
    arguments = inspect.getdoc(entry.load()).partition("Args:")[2].partition("\n\n")[0]
    described = re.findall(r"^    (\w+): ", arguments, re.M)
    assert sorted(described) == sorted(inspect.signature(entry.load()).parameters)
