from dataclasses import replace

import numpy as np
import pytest
import torch

from posezoo.assembly import build_pipeline, build_strategy, dataset_for, training_data
from posezoo.data.batches import take
from posezoo.data.store.pictures import encode_jpeg
from posezoo.data.store.pose_sequence import PoseSequence
from posezoo.data.store.store_writer import write_store
from posezoo.skeleton import get_skeleton

COCO = get_skeleton("coco17")
PIPELINE = "resnet18:cut=layer1-hm:decode=soft,strides=2+martinez:width=32"


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Four pictures with COCO key points and nothing known in 3D."""
    rng = np.random.default_rng(0)
    shot = PoseSequence(
        joints2d_px=rng.uniform(20, 80, (4, 17, 2)),
        joints3d_mm=np.zeros((4, 17, 3)),
        root_mm=np.zeros((4, 3)),
        labelled2d=np.ones((4, 17), bool),
        labelled3d=np.zeros((4, 17), bool),
        visible=np.ones((4, 17), bool),
        camera=np.array([100.0, 100, 50, 50, 0, 0, 0, 0, 0, 2]),
        subject="somebody",
        action="photo",
        sequence="photos",
        view="",
        frame=np.arange(4),
        pictures=[encode_jpeg(torch.zeros(3, 100, 100, dtype=torch.uint8))] * 4,
    )
    path = tmp_path_factory.mktemp("photos") / "photos.h5"
    shots = [shot, replace(shot, subject="another", sequence="more")]
    write_store(path, shots, skeleton=COCO, val="another")
    return path


def mixed(pipeline, photographs):
    return training_data(
        pipeline,
        "synthetic:items=4,people=4",
        mix=f"store:path={photographs}",
        mix_share=0.5,
        image_size=32,
        seed=0,
    )


def test_photographs_with_2d_only_train_beside_people_in_3d(photographs):
    """Both are in one batch, 17 joints each; the 3D loss is that of the 3D people alone."""
    pipeline = build_pipeline(PIPELINE)
    data = mixed(pipeline, photographs)
    assert len(data) == 8
    batch = take(data, range(8))
    assert batch.labelled3d.all((1, 2)).tolist() == [True] * 4 + [False] * 4
    assert batch.image.shape == (8, 3, 32, 32)
    pipeline.fit_normalisation(batch)
    pipeline.eval()  # batch norm would let items see each other
    (stage,) = build_strategy("multitask").stages(pipeline)
    together = stage.losses(pipeline, batch, 0.0)
    alone = stage.losses(pipeline, batch.items(torch.arange(4)), 0.0)
    torch.testing.assert_close(together["3d"], alone["3d"])
    assert not torch.equal(together["2d"], alone["2d"])


def test_the_spine_of_a_photograph_is_not_made_up(photographs):
    pipeline = build_pipeline(PIPELINE)
    sample = mixed(pipeline, photographs)[5]
    joints = pipeline.skeleton.joints
    assert not sample.labelled2d[0, joints.index("spine")]
    assert sample.labelled2d[0, joints.index("left_knee")]


def test_a_lifter_of_many_frames_needs_sequences_and_no_picture():
    with pytest.raises(ValueError, match=r"looks at 9 frames, .* has single poses: take data with"):
        dataset_for(build_pipeline("tcn:frames=9,width=16"), "synthetic", image_size=0)
    with pytest.raises(ValueError, match="looks at 9 frames, and a picture is one"):
        build_pipeline("resnet18-hm+tcn:frames=9,width=16")


def test_a_head_that_gives_3d_takes_no_lifter():
    with pytest.raises(ValueError, match=r"gives 3D by itself; leave out \+martinez"):
        build_pipeline("resnet18-direct+martinez")
