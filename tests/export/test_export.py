"""An exported file says in another runtime what the network says in torch."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from posezoo.assembly import build_pipeline
from posezoo.camera import Camera
from posezoo.cli import main
from posezoo.clips import lift_clip
from posezoo.export import graphs_of, items_for, quantise, too_far, try_out, write
from posezoo.export.trial import ALONE, Trial
from posezoo.export.writing import FACTS, traced
from posezoo.inference.exported import read_exported
from posezoo.inference.loading import load_for_prediction, open_pipeline
from posezoo.joint_maps import map_joints
from posezoo.onnx_session import onnx_runner
from posezoo.skeleton import H36M17, get_skeleton
from posezoo.testing.examples import people

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")
LIFTER = "martinez:blocks=1,width=32"


def pipeline_of(spec, size=32, frames=1):
    torch.manual_seed(0)
    pipeline = build_pipeline(spec)
    for part in (pipeline.head, pipeline.lifter):
        if hasattr(part, "fit_normalisation"):
            part.fit_normalisation(people(64, size=size, pictures=False))
    return pipeline.eval()


@pytest.fixture(scope="module")
def lifter(tmp_path_factory):
    """A lifter and its file."""
    pipeline = pipeline_of(LIFTER)
    (graph,) = graphs_of(pipeline, licence="MIT")
    path = tmp_path_factory.mktemp("exported") / "lifter.onnx"
    write(graph, path)
    return pipeline, path


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A network that looks at pictures of 32 px, and its file."""
    pipeline = pipeline_of(f"resnet18:cut=layer1,width=8-hm:width=8,block_b=false+{LIFTER}")
    (graph,) = graphs_of(pipeline, crop_px=32, margin=0.25)
    path = tmp_path_factory.mktemp("exported") / "pictures.onnx"
    program = write(graph, path)
    return pipeline, graph, path, program


def test_a_lifter_in_onnxruntime_answers_as_in_torch_for_any_number_of_people(lifter):
    pipeline, path = lifter
    run = onnx_runner(path)
    for count in (1, 5):
        batch = people(count, size=32)
        with torch.no_grad():
            true = pipeline.lift(batch.joints2d, batch.camera)
        (found,) = run([batch.joints2d, batch.camera.parameters])
        assert found.shape == (count, 1, 17, 3)
        assert (found - true).abs().max() < 1e-3  # mm
        assert not found[:, :, 0].any()  # the root


def test_the_file_says_what_it_is(lifter):
    model = onnx.load(str(lifter[1]))
    facts = {each.key: each.value for each in model.metadata_props}
    assert facts["spec"] == LIFTER
    assert facts["joint_set"] == facts["joint_set_2d"] == "h36m17"
    assert (facts["units"], facts["licence"]) == ("px in, mm out", "MIT")
    assert [each.name for each in model.graph.input] == ["joints2d_px", "camera"]
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param  # any size of batch


def test_from_picture_to_mm_with_decoding_camera_and_normalisation_inside(pictures):
    pipeline, graph, path, _ = pictures
    batch = people(3, size=32, pictures=True)
    with torch.no_grad():
        true = pipeline(batch.image, batch.camera)
    joints3d, joints2d, confidence = onnx_runner(path)([batch.image, batch.camera.parameters])
    assert graph.outputs == ("joints3d_mm", "joints2d_px", "confidence")
    assert (joints2d - true.joints2d[:, 0]).abs().max() < 1e-3  # px
    assert (joints3d - true.joints3d[:, 0]).abs().max() < 0.05  # mm, of an untrained network
    assert (confidence - true.confidence).abs().max() < 1e-5


def test_a_file_is_a_pipeline_that_predicts(pictures, lifter):
    pipeline, _, path, _ = pictures
    loaded = open_pipeline(path)
    assert (loaded.crop_px, loaded.margin) == (32, 0.25)
    batch = people(2, size=32, pictures=True)
    with torch.no_grad():
        mine, its = (p(batch.image, batch.camera) for p in (pipeline, loaded.pipeline))
    assert (mine.joints3d - its.joints3d).abs().max() < 0.05
    assert load_for_prediction(path).crop_px == 32
    with torch.no_grad():
        flipped = [
            lift_clip(p, batch.joints2d, batch.camera).joints3d
            for p in (lifter[0], open_pipeline(lifter[1]).pipeline)
        ]
    assert (flipped[0] - flipped[1]).abs().max() < 1e-3


def test_a_lifter_that_says_how_sure_it_is_says_so_in_onnxruntime_too(tmp_path):
    pipeline = pipeline_of("anylift:depth=1,frames=3,heads=2,width=16")
    for weights in (pipeline.lifter.out, pipeline.lifter.over_frames.out):
        torch.nn.init.normal_(weights, std=0.1)
    (graph,) = graphs_of(pipeline)
    assert graph.outputs == ("joints3d_mm", "sigma_mm", "root_mm")
    write(graph, tmp_path / "anylift.onnx")
    exported = read_exported(tmp_path / "anylift.onnx").pipeline
    clip = people(2, size=32, frames=5)
    places = get_skeleton("places31")
    joints2d, known = map_joints(clip.joints2d, H36M17, places)
    sure = known.float().expand(joints2d.shape[:-1]).clone()
    sure[1, 1] = 0  # a frame in which nobody was seen
    told = joints2d, clip.camera, sure
    window = joints2d[:, :3], clip.camera, sure[:, :3]
    one = joints2d[:, :1], clip.camera, sure[:, :1]  # a picture: the other frames are missing
    for way, given, frames in (
        ("lifted", told, 3), ("lifted_window", window, 3), ("lifted_window", one, 1),
    ):  # fmt: skip
        mine, its = (getattr(p, way)(*given) for p in (pipeline, exported))
        assert mine.sigma_mm.shape == its.sigma_mm.shape == (2, frames, 17)
        assert (mine.joints3d - its.joints3d).abs().max() < 1e-2
        assert (mine.sigma_mm - its.sigma_mm).abs().max() < 1e-2
        assert (mine.root_mm - its.root_mm).abs().max() < 1
    assert exported.lifter.takes_shorter


def test_a_lifter_of_clips_is_given_windows_and_answers_for_each_frame(tmp_path):
    pipeline = pipeline_of("tcn:frames=3,width=16")
    (graph,) = graphs_of(pipeline)
    write(graph, tmp_path / "tcn.onnx")
    exported = read_exported(tmp_path / "tcn.onnx").pipeline
    assert (exported.lifter.frames, exported.lifter.future) == (3, 1)
    clip = people(2, size=32, frames=7)
    mine, its = (lift_clip(p, clip.joints2d, clip.camera).joints3d for p in (pipeline, exported))
    assert its.shape == (2, 7, 17, 3)
    assert (mine - its).abs().max() < 1e-3


def test_a_lifter_that_answers_for_windows_does_so_in_the_file(tmp_path):
    spec = "dstformer:frames=4,width=8,representation=8,depth=1,heads=2,confidence=true"
    pipeline = pipeline_of(spec)
    (graph,) = graphs_of(pipeline)
    assert [*graph.inputs] == ["joints2d_px", "camera", "confidence"]
    assert graph.facts["answers"] == "window"
    program = traced(graph)
    clip = people(3, size=32, frames=4)
    sure = torch.rand(3, 4, 17)
    with torch.no_grad():
        true = pipeline.lifted_window(clip.joints2d, clip.camera, sure).joints3d
        found = program.module()(clip.joints2d, clip.camera.parameters, sure)
    assert (found - true).abs().max() < 1e-3


def test_a_pt2_file_has_the_facts_and_the_same_answers(lifter, tmp_path):
    (graph,) = graphs_of(lifter[0])
    write(graph, tmp_path / "l.pt2", format="pt2")
    extra = {FACTS: ""}
    program = torch.export.load(tmp_path / "l.pt2", extra_files=extra)
    assert json.loads(extra[FACTS])["spec"] == LIFTER
    batch = people(4, size=32)
    with torch.no_grad():
        true = lifter[0].lift(batch.joints2d, batch.camera)
        found = program.module()(batch.joints2d, batch.camera.parameters)
    assert (found - true).abs().max() < 1e-3
    assert not [*tmp_path.glob(".*")]


def test_8_bits_are_smaller_and_a_little_off(pictures, tmp_path):
    _, graph, path, _ = pictures
    small = tmp_path / "small.onnx"
    small.write_bytes(path.read_bytes())
    inputs = [each[:8] for each in items_for(graph, "nothing")]
    quantise(small, inputs)
    facts = {e.key: e.value for e in onnx.load(str(small)).metadata_props}
    assert (facts["weights"], facts["spec"]) == ("int8", graph.facts["spec"])
    true, found = (onnx_runner(each)(inputs)[1] for each in (path, small))
    off = (true - found).abs()  # px of 32, of an untrained network, where any cell may be the next
    assert off.max() > 0  # 0 would mean that nothing was done
    assert off.median() < 4


def test_what_differs_by_more_than_rounding_is_told():
    def trial(name, mm, largest=900.0):
        off, size = {"joints3d_mm": mm}, {"joints3d_mm": largest}
        return Trial(runtime=name, largest_difference=off, largest_output=size, milliseconds={})

    assert too_far([trial(ALONE, 1e-5), trial("onnxruntime", 9e-4)]) == ""
    assert too_far([trial(ALONE, 0.02), trial("onnxruntime", 0.05)]) == ""  # torch is off as much
    assert "onnxruntime is off by 0.2 mm" in too_far(
        [trial(ALONE, 0.02), trial("onnxruntime", 0.2)]
    )
    assert "nan" in too_far([trial(ALONE, 1e-5), trial("onnxruntime", float("nan"))])


def test_a_trial_compares_and_times(lifter):
    (graph,) = graphs_of(lifter[0])
    trials = try_out(
        graph, lifter[1], format="onnx", program=traced(graph), inputs=items_for(graph, "nothing")
    )
    assert [trial.runtime for trial in trials] == ["torch", ALONE, "onnxruntime"]
    assert all(ms > 0 for trial in trials for ms in trial.milliseconds.values())
    assert too_far(trials) == ""
    turned = replace(graph, module=Shifted(graph.module))
    batch = people(8, size=32)  # as the lifter knows them, so that 1 mm is far above rounding
    wrong = try_out(
        turned,
        lifter[1],
        format="onnx",
        program=traced(graph),
        inputs=[batch.joints2d, batch.camera.parameters],
    )
    assert "onnxruntime is off by 1 mm" in too_far(wrong)


class Shifted(torch.nn.Module):
    """1 mm off."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, *inputs):
        return self.module(*inputs) + 1


def test_a_network_that_looks_at_its_numbers_is_refused_in_a_line(lifter):
    class Looks(torch.nn.Module):
        def forward(self, joints2d, camera):
            return joints2d if joints2d.sum() > 0 else camera

    (graph,) = graphs_of(lifter[0])
    with pytest.raises(ValueError, match="cannot be exported: ") as caught:
        traced(replace(graph, module=Looks()))
    assert "\n" not in str(caught.value)


def test_other_files_are_refused_in_a_line(tmp_path):
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"not a graph")
    with pytest.raises(ValueError, match="no ONNX file that onnxruntime can run"):
        read_exported(bad)
    with pytest.raises(ValueError, match=r"is not there; posezoo export RUN --out"):
        read_exported(tmp_path / "none.onnx")
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    x, y = (onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, [1]) for n in "xy")
    opset = [onnx.helper.make_opsetid("", 18)]
    graph = onnx.helper.make_graph([node], "g", [x], [y])
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=10), str(bad))
    with pytest.raises(ValueError, match="is not from posezoo export"):
        read_exported(bad)


def test_a_detector_with_networks_of_its_own_gives_a_graph_of_each():
    from posezoo.detectors.blazepose import BlazePose

    networks = BlazePose().networks()
    assert [*networks] == ["person", "landmarks"]
    for network, example, outputs in networks.values():
        with torch.no_grad():
            assert len(network(example[:1])) == len(outputs)


def test_the_command_writes_tries_and_tells(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["export", "semgcn.cmu", "--format", "pt2", "--int8"])
    assert (result.exit_code, "--int8 and --opset are of" in result.output) == (2, True)
    result = CliRunner().invoke(main, ["export", "martinez"])
    assert (result.exit_code, "has random weights" in result.output) == (2, True)
    graph = graphs_of(pipeline_of(LIFTER))[0]
    monkeypatch.setattr("posezoo.export.graphs_of", lambda *a, **k: [graph])
    monkeypatch.setattr("posezoo.export.trial._COMPILERS", ())  # compiling takes half a minute
    result = CliRunner().invoke(main, ["export", "semgcn.cmu", "--format", "pt2"])
    assert result.exit_code == 0, result.output
    assert [file.name for file in tmp_path.iterdir()] == ["semgcn.cmu.pt2"]
    lines = result.output.splitlines()
    assert [line.split()[0] for line in lines[1:4]] == ["torch", "torch,", "torch.export"]
    assert lines[4].startswith("semgcn.cmu.pt2: 0.1 MB; joints2d_px, camera -> joints3d_mm")


def test_predict_takes_a_file_as_its_first_word(tmp_path):
    result = CliRunner().invoke(
        main, ["predict", str(tmp_path / "no.onnx"), "photo.jpg", "--out", str(tmp_path / "out")]
    )
    assert result.exit_code == 2
    assert "no.onnx is not there; posezoo export RUN --out" in result.output


def test_a_file_that_gives_2d_alone_and_one_without_pictures_are_refused(tmp_path):
    pipeline = pipeline_of("resnet18:cut=layer1,width=8-hm:width=8,block_b=false")
    (graph,) = graphs_of(pipeline, crop_px=32)
    assert graph.outputs == ("joints2d_px", "confidence")
    write(graph, tmp_path / "flat.onnx")
    with pytest.raises(ValueError, match="gives 2D joints only: export a run that has a lifter"):
        read_exported(tmp_path / "flat.onnx")
    words = ["predict", str(tmp_path / "flat.onnx"), "--out", str(tmp_path / "out")]
    assert "which pictures?" in CliRunner().invoke(main, words).output


def test_weights_that_one_file_cannot_hold_are_refused(lifter, tmp_path, monkeypatch):
    monkeypatch.setattr("posezoo.export.writing._MOST_BYTES", 1000)
    with pytest.raises(ValueError, match="holds 2 GB: take --format pt2"):
        write(graphs_of(lifter[0])[0], tmp_path / "large.onnx")
    assert not [*tmp_path.iterdir()]


def test_cameras_are_told_and_matter(pictures):
    """Twice the focal length: another pose from a lifter on rays, and the file knows."""
    pipeline = pipeline_of("martinez:blocks=1,width=32,input=rays")
    (graph,) = graphs_of(pipeline)
    found = traced(graph).module()
    batch = people(2, size=32)
    longer = batch.camera.parameters.clone()
    longer[:, :2] *= 2
    with torch.no_grad():
        one, other = (found(batch.joints2d, each) for each in (batch.camera.parameters, longer))
        true = pipeline.lift(batch.joints2d, Camera(longer))
    assert (one - other).abs().max() > 1
    assert (other - true).abs().max() < 1e-2
    assert np.isfinite(other.numpy()).all()
