"""A trained run sees through this door exactly what it saw in its data."""

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from posezoo.assembly import build_pipeline
from posezoo.camera import Camera
from posezoo.data.store.pose_sequence import PoseSequence
from posezoo.data.store.store import Store
from posezoo.data.store.store_writer import write_store
from posezoo.data.synthetic.synthetic import Synthetic
from posezoo.inference.lens import CameraFile, Lens
from posezoo.inference.picture import as_picture
from posezoo.inference.predictor import Predictor
from posezoo.skeleton import H36M17
from posezoo.training.checkpoint import save_checkpoint

SPEC = "resnet18:cut=layer2-hm:block_b=false+martinez:width=32,input={input}"
SIZE, MARGIN = 64, 0.2


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A drawn person of 300 px in a PNG of 400 x 300 px, and a store that holds it."""
    path = tmp_path_factory.mktemp("store") / "drawn.h5"
    sample = Synthetic(split="val", image_size=300, items=4)[1]
    canvas = np.zeros((300, 400, 3), np.uint8)
    canvas[:, 60:360] = sample.image.permute(1, 2, 0)
    shift = torch.tensor([60.0, 0.0], dtype=torch.float64)
    camera = sample.camera.resampled(torch.tensor(1.0).double(), shift)
    file = io.BytesIO()
    Image.fromarray(canvas).save(file, "PNG")
    moved = replace(sample, joints2d=sample.joints2d + shift, camera=camera, image=None)
    clip = PoseSequence.single(moved, file.getvalue(), sequence="one")
    write_store(path, [clip], skeleton=H36M17, val=sample.subject)
    return path, canvas, moved


def run_of(tmp_path, spec):
    torch.manual_seed(0)
    pipeline = build_pipeline(spec).eval()
    about = {"data": f"store:path=x.h5,margin={MARGIN}", "image_size": SIZE}
    save_checkpoint(tmp_path / "run", pipeline.state_dict(), pipeline=pipeline, provenance=about)
    return tmp_path / "run"


def images_of(predictor):
    """The crops that the network is shown from now on."""
    looked_at, see = [], predictor.pipeline.heatmaps
    predictor.pipeline.heatmaps = lambda image: looked_at.append(image) or see(image)
    return looked_at


def box_of(joints2d):
    low, high = joints2d.amin(0), joints2d.amax(0)
    return torch.cat([low, high - low])


@pytest.mark.parametrize("form", ["px", "rays"])
def test_a_picture_through_this_door_is_the_data_set_s_crop(drawn, tmp_path, form):
    path, canvas, sample = drawn
    store = Store(path=str(path), split="all", image_size=SIZE, margin=MARGIN)
    batch = store.__getitems__([0])
    run = run_of(tmp_path, SPEC.format(input=form))
    lens = Lens(file=CameraFile(name="drawn", camera=sample.camera))
    predictor = Predictor(run, lens=lens, flip=False)
    with torch.inference_mode():
        expected = predictor.pipeline(batch.image, batch.camera.to(torch.float32))
    box = box_of(sample.joints2d[0])
    looked_at = images_of(predictor)
    (person,) = predictor.picture(canvas, boxes=box[None]).people
    assert torch.equal(looked_at[0], batch.image)
    # Joints of the crop, back to px of the picture as given: by the crop's own affine map.
    scale = SIZE / (float(box[2:].max()) * (1 + 2 * MARGIN))
    left_top = box[:2] + box[2:] / 2 - SIZE / scale / 2
    seen = (torch.from_numpy(person.joints2d) - left_top) * scale - 0.5
    # One float32 each way: 64 px x eps, and its share of the person's size in mm.
    assert (seen - expected.joints2d[0, 0]).abs().max() < 64 * 1.2e-7 * 4
    assert (torch.from_numpy(person.joints3d) - expected.joints3d[0, 0]).abs().max() < 1e-2
    np.testing.assert_array_equal(person.confidence, expected.confidence[0])


def test_half_a_pixel_or_another_margin_would_be_seen(drawn, tmp_path):
    path, canvas, sample = drawn
    store = Store(path=str(path), split="all", image_size=SIZE, margin=MARGIN)
    predictor = Predictor(run_of(tmp_path, SPEC.format(input="rays")), flip=False)
    looked_at = images_of(predictor)
    for change in ((0.5, 0, 0, 0), (0, 0, 4, 4)):
        moved = box_of(sample.joints2d[0]) + torch.tensor(change)
        predictor.picture(canvas, boxes=moved[None])
        assert not torch.equal(looked_at[-1], store.__getitems__([0]).image), change


def test_crops_of_several_people_and_pictures_run_in_common_batches(drawn, tmp_path):
    _, canvas, sample = drawn
    predictor = Predictor(run_of(tmp_path, SPEC.format(input="rays")), batch=2, flip=False)
    box = box_of(sample.joints2d[0])
    boxes = [torch.stack([box, box + 3]), torch.zeros(0, 4), box[None]]
    predictions = predictor.pictures([canvas, canvas, canvas], boxes=boxes)
    assert [len(prediction.people) for prediction in predictions] == [2, 0, 1]
    alone = predictor.picture(canvas, boxes=box[None]).people[0]
    for person in (predictions[0].people[0], predictions[2].people[0]):
        np.testing.assert_allclose(person.joints3d, alone.joints3d, atol=1e-2)
        np.testing.assert_allclose(person.joints2d, alone.joints2d, atol=1e-3)
    assert predictions[0].people[1].box_px.tolist() == (box + 3).tolist()


def test_a_square_picture_is_one_person_and_says_so_and_a_wide_one_asks(drawn, tmp_path):
    _, canvas, _ = drawn
    predictor = Predictor(run_of(tmp_path, SPEC.format(input="rays")))
    (person,) = predictor.picture(canvas[:, 50:350]).people
    assert person.warnings[0].startswith("whole picture: ")
    assert person.box_px.tolist() == [-0.5, -0.5, 300, 300]
    with pytest.raises(ValueError, match=r"give --box .* or --detector"):
        predictor.picture(canvas[:150])


def test_another_detector_says_where_people_are(painted, tmp_path):
    """The crop is around the joints' own box, as in training, not around the detector's."""
    predictor = Predictor(
        run_of(tmp_path, SPEC.format(input="rays")), detector="marks:score=0.7", flip=False
    )
    assert predictor.name.endswith("(boxes: marks:score=0.7)")
    px = painted.project((100, 0, 3000))
    picture = painted.paint([px])
    (person,) = predictor.picture(picture).people
    assert (person.score, person.detected_joint_set) == (0.7, "h36m17")
    box = box_of(torch.from_numpy(px))
    np.testing.assert_allclose(person.box_px, box, atol=0.01)
    given = predictor.picture(picture, boxes=torch.from_numpy(person.box_px)[None])
    np.testing.assert_allclose(person.joints3d, given.people[0].joints3d, atol=1e-9)


def test_a_head_that_gives_3d_by_itself_has_no_2d_and_no_lifter(drawn, tmp_path):
    _, canvas, sample = drawn
    predictor = Predictor(run_of(tmp_path, "resnet18:cut=layer2-direct"))
    (person,) = predictor.picture(canvas, boxes=box_of(sample.joints2d[0])[None]).people
    assert np.isnan(person.joints2d).all()
    assert person.joints3d.shape == (17, 3) and (person.joints3d[0] == 0).all()
    assert person.root_mm is None


def test_a_head_that_measures_in_px_is_told_the_camera_of_the_crop(drawn, tmp_path):
    """Its maps are put right here: px of the crop and mm along z, of a body of known size."""
    _, canvas, sample = drawn
    predictor = Predictor(run_of(tmp_path, "resnet18:cut=layer2-volumetric:layers=0,depth=8"))
    ((found,),) = predictor.finder([as_picture(canvas)], [box_of(sample.joints2d[0])[None]])
    assert np.isfinite(found.joints.px).all()
    camera = Camera.make(focal_px=(400, 400), centre_px=(150.0, 120.0))
    pose = sample.joints3d[0].double()
    crop_px = found.joints.view(camera).project(pose + torch.tensor([200.0, -100.0, 4000.0]))
    volume = predictor.pipeline.head.volume
    volume.fit(pose[None])
    places = torch.cat([crop_px, pose[:, 2:]], -1)[None].float()
    (lifted,) = predictor.lift([[replace(found, maps=places)]], [camera])
    np.testing.assert_allclose(lifted[0].joints3d, pose.numpy(), atol=0.1)


def test_without_a_lifter_there_is_2d_only(drawn, tmp_path):
    _, canvas, sample = drawn
    predictor = Predictor(run_of(tmp_path, "resnet18:cut=layer2-hm:block_b=false"))
    (person,) = predictor.picture(canvas, boxes=box_of(sample.joints2d[0])[None]).people
    assert person.joints3d is None and np.isfinite(person.joints2d).all()


def test_the_camera_of_a_crop_sees_the_same_rays():
    camera = Camera.make(focal_px=(700, 700), centre_px=(319.5, 239.5))
    from posezoo.inference.lifting import Joints2d

    px = np.array([[10.0, 20.0], [400.0, 300.0]])
    joints = Joints2d(px=px, confidence=np.ones(2), scale=0.3, offset=(-20.0, 7.0))
    torch.testing.assert_close(
        joints.view(camera).to_rays(joints.seen_px), camera.to_rays(torch.from_numpy(px))
    )
