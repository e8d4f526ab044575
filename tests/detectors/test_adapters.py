"""Detectors that stand on a library: each with the library's own interface, and random weights.

rtmlib and torchvision are replaced by modules of the same signatures, for neither can be had on
every machine; transformers is itself, where it is installed.
"""

import importlib
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from posezoo.detectors.keypointrcnn import KeypointRcnn
from posezoo.detectors.rtmpose import RtmPose
from posezoo.testing import run_checks

PICTURE = torch.zeros(60, 80, 3, dtype=torch.uint8)
PICTURE[..., 0] = 200  # red


class Body:
    """rtmlib.Body: finds one box, and puts every joint into its middle."""

    joints = 17

    def __init__(self, det=None, pose=None, mode="balanced", backend="onnxruntime", device="cpu"):
        assert (mode, backend, device) == ("lightweight", "onnxruntime", "cpu")

    def det_model(self, image):
        assert image[0, 0].tolist() == [0, 0, 200]  # blue first
        return np.array([[10, 20, 30, 60]], np.float64)

    def pose_model(self, image, bboxes=()):
        corners = np.array(bboxes)
        middle = (corners[:, :2] + corners[:, 2:]) / 2
        places = np.repeat(middle[:, None], self.joints, 1)
        return places, np.full((len(corners), self.joints), 1.2)


class BodyWithFeet(Body):
    joints = 26


@pytest.fixture
def rtmlib(monkeypatch):
    module = SimpleNamespace(Body=Body, BodyWithFeet=BodyWithFeet)
    monkeypatch.setitem(sys.modules, "rtmlib", module)


@pytest.mark.usefixtures("rtmlib")
def test_rtmpose_finds_people_in_blue_first_pictures():
    (person,) = RtmPose(mode="lightweight")(PICTURE)
    assert person.box_px.tolist() == [10, 20, 20, 40]
    assert person.joints2d[0].tolist() == [20, 40]
    assert (person.score, person.confidence.tolist()) == (1.0, [1.0] * 17)


@pytest.mark.usefixtures("rtmlib")
def test_rtmpose_with_feet_has_the_joints_of_halpe():
    detector = RtmPose(mode="lightweight", feet=True)
    (person,) = detector(PICTURE, boxes=torch.tensor([[0.0, 0.0, 8.0, 6.0]]))
    assert (detector.joint_set, len(person.joints2d)) == ("halpe26", 26)
    assert person.joints2d[25].tolist() == [4, 3]
    assert detector(PICTURE, boxes=torch.empty(0, 4)) == []


class Network(nn.Module):
    """torchvision's KeypointRCNN as far as it is called: two people, one of them unlikely."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.roi_heads = SimpleNamespace(
            keypoint_roi_pool=lambda features, boxes, sizes: boxes[0],
            keypoint_head=lambda pooled: pooled,
            keypoint_predictor=lambda pooled: pooled,
        )
        self.backbone = lambda images: images

    def transform(self, images):
        (image,) = images
        assert image.max() <= 1
        height, width = image.shape[-2:]
        sizes = [(2 * height, 2 * width)]  # it works on a larger picture
        return SimpleNamespace(tensors=image[None], image_sizes=sizes), None

    def forward(self, images):
        joints = torch.ones(2, 17, 3)
        return [
            {
                "boxes": torch.tensor([[1.0, 2.0, 5.0, 9.0], [0.0, 0.0, 2.0, 2.0]]),
                "scores": torch.tensor([0.9, 0.3]),
                "keypoints": joints,
                "keypoints_scores": torch.zeros(2, 17),
            }
        ]


def inference(maps, boxes):
    """torchvision's keypointrcnn_inference: a joint at the corner of each box."""
    (corners,) = boxes
    places = torch.cat((corners[:, :2], torch.ones(len(corners), 1)), 1)
    return [places[:, None].repeat(1, 17, 1)], [torch.zeros(len(corners), 17)]


@pytest.fixture
def torchvision(monkeypatch):
    names = ["torchvision", "torchvision.models", "torchvision.models.detection"]
    modules = {name: ModuleType(name) for name in [*names, f"{names[-1]}.roi_heads"]}
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    detection = modules[names[-1]]
    modules[names[1]].detection = detection

    def network(*, weights_backbone):
        assert weights_backbone is None  # nothing is to be fetched
        return Network()

    detection.keypointrcnn_resnet50_fpn = network
    modules[f"{names[-1]}.roi_heads"].keypointrcnn_inference = inference


@pytest.mark.usefixtures("torchvision")
def test_keypointrcnn_leaves_out_the_unlikely():
    detector = KeypointRcnn(weights="none")
    assert not detector.training
    (person,) = detector(PICTURE)
    assert person.box_px.tolist() == [1, 2, 4, 7]
    assert person.confidence.tolist() == [0.5] * 17


@pytest.mark.usefixtures("torchvision")
def test_keypointrcnn_takes_boxes_in_px_of_the_picture_as_given():
    people = KeypointRcnn(weights="none")(PICTURE, boxes=torch.tensor([[6.0, 4, 10, 20]]))
    assert people[0].joints2d[0].tolist() == [6, 4]
    assert people[0].box_px.tolist() == [6, 4, 10, 20]
    assert KeypointRcnn(weights="none")(PICTURE, boxes=torch.empty(0, 4)) == []


def test_vitpose_keeps_its_contract_with_random_weights(tmp_path):
    if importlib.util.find_spec("transformers") is None:
        pytest.skip("posezoo[vitpose] is not installed")
    transformers = pytest.importorskip("transformers")
    backbone = transformers.VitPoseBackboneConfig(
        image_size=[64, 48],
        patch_size=[16, 16],
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        out_indices=[1],
    )
    config = transformers.VitPoseConfig(backbone_config=backbone, num_labels=17)
    transformers.VitPoseForPoseEstimation(config).save_pretrained(tmp_path)
    crops = transformers.VitPoseImageProcessor(size={"height": 64, "width": 48})
    crops.save_pretrained(tmp_path)
    outcomes = run_checks(f"vitpose:model={tmp_path}")
    assert {o.check: o.note for o in outcomes if o.result == "failed"} == {}
