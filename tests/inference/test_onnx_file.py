"""A graph that does not end, takes the memory, or is not what its metadata say is refused."""

import sys

import pytest
import torch

from posezoo import rehearsal
from posezoo.inference.exported import read_exported
from posezoo.inference.onnx_file import OnnxFile

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
helper, FLOAT, INT64, BOOL = onnx.helper, 1, 7, 9
linux = pytest.mark.skipif(sys.platform != "linux", reason="forks with limits: Linux only")
FACTS = {
    "kind": "lifter",
    "spec": "martinez",
    "joint_set": "h36m17",
    "joint_set_2d": "h36m17",
    "answers": "frame",
    "frames": "1",
    "future": "0",
}


def saved(path, nodes, constants=(), shape=(17, 3), facts=FACTS):
    """A graph from joints (B, 1, 17, 2) and a camera to `joints3d_mm`."""
    inputs = [
        helper.make_tensor_value_info("joints2d_px", FLOAT, ["B", 1, 17, 2]),
        helper.make_tensor_value_info("camera", FLOAT, ["B", 10]),
    ]
    output = helper.make_tensor_value_info("joints3d_mm", FLOAT, ["B", 1, *shape])
    graph = helper.make_graph(nodes, "g", inputs, [output], list(constants))
    opset = [helper.make_opsetid("", 18)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=10)
    helper.set_model_props(model, facts)
    onnx.save(model, str(path))
    return path


def numbers(name, values, kind=INT64, shape=None):
    return helper.make_tensor(name, kind, [len(values)] if shape is None else shape, values)


def padded(joints=17):
    """A third number for each joint, 0; of as many joints."""
    return [
        helper.make_node("Pad", ["joints2d_px", "pads"], ["joints3d_mm"]),
    ], [numbers("pads", [0, 0, 0, 0, 0, 0, joints - 17, 1])]


def test_a_graph_that_is_what_it_says_is_run(tmp_path):
    lifter = read_exported(saved(tmp_path / "a.onnx", *padded())).pipeline.lifter
    px = torch.rand(5, 1, 17, 2)
    found = lifter.file.run(px, torch.zeros(5, 10), joints=17)["joints3d_mm"]
    assert torch.equal(found[..., :2], px) and not found[..., 2].any()


@linux
def test_a_loop_without_an_end_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(rehearsal, "_SECONDS", 1)
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Sin", ["x"], ["y"])],
        "body",
        [helper.make_tensor_value_info("k", INT64, []),
         helper.make_tensor_value_info("go", BOOL, []),
         helper.make_tensor_value_info("x", FLOAT, ["B", 1, 17, 2])],
        [helper.make_tensor_value_info("on", BOOL, []),
         helper.make_tensor_value_info("y", FLOAT, ["B", 1, 17, 2])],
    )  # fmt: skip
    loop = helper.make_node("Loop", ["most", "yes", "joints2d_px"], ["turned"], body=body)
    nodes, pads = padded()
    nodes[0].input[0] = "turned"
    constants = [numbers("most", [2**62], shape=[]), numbers("yes", [True], BOOL, [])]
    path = saved(tmp_path / "a.onnx", [loop, *nodes], [*constants, *pads])
    with pytest.raises(ValueError, match=r"a\.onnx: damaged: its reading had not ended after 1 s"):
        read_exported(path)


@linux
def test_a_graph_that_takes_the_memory_is_refused(tmp_path):
    nodes, pads = padded()
    large = helper.make_node("ConstantOfShape", ["sides"], ["zeros"])
    first = helper.make_node("ReduceMax", ["zeros"], ["top"], keepdims=0)
    added = helper.make_node("Add", ["joints2d_px", "top"], ["sum"])
    nodes[0].input[0] = "sum"
    sides = numbers("sides", [10_000, 100_000])
    path = saved(tmp_path / "a.onnx", [large, first, added, *nodes], [sides, *pads])
    with pytest.raises(ValueError, match=r"a\.onnx: its .* bytes would take more than 1,024 MiB"):
        OnnxFile(path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"frames": "3"}, r"takes inputs of \[\(1, 17, 2\), \(10,\)\], and its metadata say"),
        ({"joint_set_2d": "coco17", "joint_set": "coco23"}, "gives joints3d_mm as float32"),
        ({"frames": "many"}, "its metadata are damaged .*many.*; export it again"),
        ({"future": "1"}, "1 of 1 frames after the predicted one"),
        ({"spec": "\x1b[2J"}, "its metadata are damaged"),
        ({"margin": "nan"}, "a margin of nan"),
        ({"joint_set": None}, "its metadata lack 'joint_set'; export it again"),
        ({"kind": "\x1b[2J" * 99}, r"is one \\x1b"),
    ],
)
def test_metadata_of_another_graph_are_refused_in_a_line(tmp_path, changes, words):
    facts = {name: fact for name, fact in (FACTS | changes).items() if fact is not None}
    path = saved(tmp_path / "a.onnx", *padded(), facts=facts)
    with pytest.raises(ValueError, match=words) as error:
        joints = read_exported(path).pipeline.skeleton.num_joints
        read_exported(path).pipeline.lifter.file.run(
            torch.zeros(2, 1, 17, 2), torch.zeros(2, 10), joints=joints
        )
    assert str(path) in str(error.value) and str(error.value).isprintable()


def test_a_graph_that_fails_on_what_it_is_given_is_one_line(tmp_path):
    """It runs on one person, and not on two."""
    nodes, pads = padded()
    nodes[0].input[0] = "one"
    fixed = helper.make_node("Reshape", ["joints2d_px", "sides"], ["one"])
    sides = numbers("sides", [1, 1, 17, 2])
    path = saved(tmp_path / "a.onnx", [fixed, *nodes], [sides, *pads])
    lifter = read_exported(path).pipeline.lifter
    with pytest.raises(ValueError, match=r"a\.onnx: onnxruntime cannot run it") as error:
        lifter.file.run(torch.zeros(2, 1, 17, 2), torch.zeros(2, 10), joints=17)
    assert str(error.value).isprintable()
