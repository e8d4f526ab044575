"""From a store and VideoPose3D's detections to a lifter that is trained and evaluated on them."""

from __future__ import annotations

import json
import tomllib
from dataclasses import replace

import numpy as np
import pytest
import torch

from posezoo.assembly import build_pipeline, dataset_for
from posezoo.data.store.add_detection import add_detection
from posezoo.data.store.store_file import open_store
from posezoo.detector_errors import DetectorErrors
from posezoo.evaluation.flip import predict_with_flip
from posezoo.joint_maps import map_joints
from posezoo.skeleton import H36M17, SKELETONS


@pytest.fixture(scope="module")
def both(make_walks, tmp_path_factory, invoke):
    """A store with CPN's joints beside the true ones, added by the command."""
    folder = tmp_path_factory.mktemp("detections")
    store = open_store(make_walks(folder / "walks.h5", frames=30))
    rng, found = np.random.default_rng(0), {}
    names = [store.names(kind)[store[kind]] for kind in ("subject", "sequence")]
    for person, recording, view in sorted({*zip(*names, store["view"], strict=True)}):
        rows = (names[0] == person) & (names[1] == recording) & (store["view"] == view)
        px = store["joints2d_px"][rows] + rng.normal(0, 8, (30, 17, 2))
        found.setdefault(str(person), {}).setdefault(str(recording), []).append(px)
    sides = [[4, 5, 6, 11, 12, 13], [1, 2, 3, 14, 15, 16]]
    source = folder / "data_2d_h36m_cpn_ft_h36m_dbb.npz"
    np.savez(source, positions_2d=found, metadata={"keypoints_symmetry": sides})
    out = folder / "both.h5"
    result = invoke(
        "data", "detections", store.path, source, "--name", "cpn", "--out", out, "--trust"
    )
    assert result.exit_code == 0, result.output
    assert (
        "detection cpn: found in 240 of 240 frames; mean error against the truth 10."
        in result.output
    )
    assert f"store: {out}  (--data store:path={out},joints2d=cpn)" in result.output
    return out


@pytest.fixture(scope="module")
def run(both, invoke, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "cpn"
    result = invoke(
        "train", "martinez", "--data", f"store:path={both},joints2d=cpn", "--out", out,
        "--steps", 4, "--batch-size", 16, "--set", "lifter.width=16",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    return out


def test_info_and_check_say_what_was_found_and_how_far_off_it_is(both, invoke):
    told = "h36m17, in 100.0% of the frames, 100.0% of the joints; 10."
    assert f"detected: cpn  {told}" in invoke("data", "info", both).output
    assert f"detection cpn: {told}" in invoke("data", "check", both).output
    found = json.loads(invoke("data", "info", both, "--json").output)["detections"]["cpn"]
    assert found["source"] == "data_2d_h36m_cpn_ft_h36m_dbb.npz"
    assert found["mean_error_px"] == pytest.approx(8 * np.sqrt(np.pi / 2), rel=0.03)
    found = json.loads(invoke("data", "check", both, "--json").output)
    assert found["detections"]["cpn"]["frames"] == 1.0
    assert not [each for each in found["findings"] if "detection" in each["fault"]]


def test_an_evaluation_has_both_the_detected_and_the_true_joints(run, both, invoke):
    found = json.loads(invoke("eval", run, "--json").output)
    (true,) = found["other_joints2d"]
    assert "joints2d=cpn" in found["data"] and "joints2d" not in true["data"]
    assert found["ground_truth_inputs"] == ["camera"]
    assert true["ground_truth_inputs"] == ["2D joints", "camera"]
    assert found["mpjpe_mm"] != true["mpjpe_mm"] and found["items"] != true["items"]
    assert "error_2d_px" not in found and true["error_2d_px"] == 0
    table = invoke("eval", run).output
    assert "2D joints  MPJPE mm" in table and "\ncpn " in table and "\ntrue " in table
    told = json.loads(
        invoke("eval", run, "--data", f"store:path={both},split=val", "--json").output
    )
    assert told["mpjpe_mm"] == true["mpjpe_mm"]
    assert told["other_joints2d"][0]["mpjpe_mm"] == found["mpjpe_mm"]


def test_a_protocol_of_detected_joints_takes_its_own(run, both, invoke):
    data = f"store:path={both},split=all"
    found = json.loads(
        invoke("eval", run, "--data", data, "--protocol", "h36m-p1-cpn", "--json").output
    )
    assert found["data"] == f"store:joints2d=cpn,path={both},split=all"
    assert "other_joints2d" not in found and found["samples"] == 240
    plain = json.loads(
        invoke("eval", run, "--data", data, "--protocol", "h36m-p1-vp3d", "--json").output
    )
    assert plain["mpjpe_mm"] != found["mpjpe_mm"]
    for words, expected in (
        (("--data", data, "--protocol", "h36m-p1-sh"), "has no detection sh (it has cpn)"),
        (("--data", "synthetic", "--protocol", "h36m-p1-cpn"), "has no detected 2D joints 'cpn'"),
        (("--data", f"{data},joints2d=cpn", "--protocol", "h36m-p1-sh"), "expected joints2d=sh"),
    ):
        result = invoke("eval", run, *words)
        assert result.exit_code == 2
        assert expected in result.output


def test_an_error_model_is_fitted_to_a_detection(both, invoke, tmp_path):
    file = tmp_path / "cpn.json"
    data = f"store:path={both},joints2d=cpn,split=all"
    result = invoke("errors", "--data", data, "--out", file)
    assert result.exit_code == 0, result.output
    assert "of 240 pictures of 2 people" in result.output
    model = DetectorErrors.load(file, H36M17)
    store = open_store(both)
    size = np.sqrt(store["joints2d_px"].var(1).sum(1)).mean()
    spread = np.sqrt([sum(np.diag(each.covariance)) for each in model.joints.values()])
    assert spread.mean() * size == pytest.approx(8 * np.sqrt(2), rel=0.05)
    assert all(each.swapped == 0 and each.missed < 0.02 for each in model.joints.values())
    refused = invoke("errors", "--data", f"store:path={both}", "--out", file)
    assert refused.exit_code == 2 and "names no detection" in refused.output
    strategy = f"separate:lifter_input=noisy,errors={file}"
    twice = invoke("train", "martinez", "--data", data, "--strategy", strategy, "--steps", 2,
                   "--out", tmp_path / "run")  # fmt: skip
    assert "lifter_input=noisy draws errors on true joints" in twice.output


def test_mistakes_are_one_clear_line(both, invoke, tmp_path):
    out = ("--name", "x", "--out", tmp_path / "x.h5")
    for words, expected in (
        ((both, tmp_path / "no.npz", *out), "no such file or folder"),
        ((both, both, *out, "--from", "videopose"), "Did you mean 'videopose3d'"),
        ((both, both, *out, "--from", "keypoints", "--of", "S9"), "expected SUBJECT/SEQUENCE/VIEW"),
    ):
        result = invoke("data", "detections", *words)
        assert result.exit_code == 2
        assert expected in result.output
    assert not any(tmp_path.iterdir())


def test_a_comma_and_brackets_in_a_path_come_through_a_run_and_its_evaluation(
    both, invoke, tmp_path
):
    path = tmp_path / "a, b=[1] + c.h5"
    path.write_bytes(both.read_bytes())
    run, data = tmp_path / "run", f'store:path="{path}"'
    short = ("--steps", 2, "--batch-size", 8, "--set", "lifter.width=16")
    result = invoke("train", "martinez", "--data", data, "--out", run, *short)
    assert result.exit_code == 0, result.output
    assert f'data store:path="{path}"' in result.output
    assert tomllib.loads((run / "run.toml").read_text())["settings"]["data"] == data
    found = json.loads(invoke("eval", run, "--json").output)
    assert found["data"] == f'store:path="{path}",split=val'
    assert found["other_joints2d"][0]["data"] == f'store:joints2d=cpn,path="{path}",split=val'
    bare = invoke("eval", run, "--data", f"store:path={path}")
    assert bare.exit_code == 2 and 'goes between quotes: name="a,b"' in bare.output


def test_a_lifter_of_another_joint_set_is_told_the_joints_that_were_found(both, invoke, tmp_path):
    """As VideoPose3D lifts the stacked hourglass's 16 joints to 17."""
    store = open_store(both)
    px, known = map_joints(store["joints2d_px"].astype(float), H36M17, SKELETONS["mpii16"])
    assert known.all()
    path = tmp_path / "sh.h5"
    add_detection(
        both, path, "sh", skeleton=SKELETONS["mpii16"], px=px, confidence=np.ones(px.shape[:2]),
        source="sh.npz", source_sha256="0" * 64,
    )  # fmt: skip
    data, run = f"store:path={path},joints2d=sh", tmp_path / "run"
    lifter = "tcn:joints2d=mpii16,frames=9,input=screen,width=16"
    short = ("--steps", 2, "--batch-size", 8, "--preset", "none")
    result = invoke("train", lifter, "--data", data, "--out", run, *short)
    assert result.exit_code == 0, result.output
    found = json.loads(invoke("eval", run, "--json").output)
    assert found["samples"] == 120 and "other_joints2d" not in found
    flipped = json.loads(invoke("eval", run, "--flip", "--json").output)
    assert flipped["flip"] and flipped["mpjpe_mm"] > 0
    page = tmp_path / "page.html"
    assert invoke("view", run, "--out", page).exit_code == 0
    for words, expected in (
        (("eval", run, "--data", f"store:path={path}"), "are of h36m17, not of mpii16: give it"),
        (("eval", run, "--data", "mocap:path=x.h5"), "use it on what a detector finds"),
        (("train", lifter, "--data", data, "--out", tmp_path / "b", *short, "--set",
          "augment=mirror"), "augment: the 2D joints are not those of h36m17"),
    ):  # fmt: skip
        result = invoke(*words)
        assert result.exit_code == 2
        assert expected in result.output


def test_a_told_lifter_sees_left_as_right_in_the_mirror(both, tmp_path):
    store, sets = open_store(both), (H36M17, SKELETONS["mpii16"])
    px, _ = map_joints(store["joints2d_px"].astype(float), *sets)
    path = tmp_path / "sh.h5"
    add_detection(
        both, path, "sh", skeleton=sets[1], px=px, confidence=np.ones(px.shape[:2]),
        source="sh.npz", source_sha256="0" * 64,
    )  # fmt: skip
    pipeline = build_pipeline("tcn:joints2d=mpii16,frames=9,input=screen,width=16").eval()
    data = dataset_for(pipeline, f"store:path={path},joints2d=sh,split=all", image_size=0)
    batch = data.__getitems__([20, 40])
    assert batch.joints2d.shape == (2, 9, 16, 2) and batch.joints3d.shape == (2, 9, 17, 3)
    with torch.inference_mode():
        once = predict_with_flip(pipeline, batch)
        told = list(sets[1].mirror)
        turned = replace(
            batch,
            joints2d=batch.joints2d[:, :, told] * torch.tensor([-1.0, 1.0])
            + torch.tensor([2 * 499.5, 0.0]),
            camera=batch.camera.mirrored(batch.camera.centre[:, 0]),
        )
        again = predict_with_flip(pipeline, turned)
    back = again.joints3d[:, :, list(H36M17.mirror)] * torch.tensor([-1.0, 1.0, 1.0])
    assert torch.allclose(back, once.joints3d, atol=0.01)
