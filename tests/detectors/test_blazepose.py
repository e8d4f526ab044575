"""BlazePose around its networks, with numbers that a person can check; weights are random."""

import math

import pytest
import torch

from posezoo.assembly import build_detector
from posezoo.contracts import DetectedPerson
from posezoo.detectors._blazepose_geometry import (
    Crops,
    about,
    anchors,
    decode,
    merge,
    overlap,
    refine,
    sample,
    upright,
)
from posezoo.detectors._blazepose_networks import LandmarkNetwork, PersonNetwork, _depth_to_space
from posezoo.detectors._blazepose_people import apart, around, distinct, parts_of
from posezoo.detectors.blazepose import _MIRROR, BlazePose, _agreed, _Look, _mirrored
from posezoo.weights.store import all_stored


@pytest.fixture(scope="module")
def blazepose():
    torch.manual_seed(0)
    return BlazePose()


def crop(x, y, side, angle=0.0):
    return Crops(
        centre=torch.tensor([[x, y]]), side=torch.tensor([side]), angle=torch.tensor([angle])
    )


def test_the_networks_are_as_large_as_the_published_ones():
    with torch.device("meta"):
        counts = [
            sum(p.numel() for p in n().parameters()) for n in (PersonNetwork, LandmarkNetwork)
        ]
    assert counts == [2_965_314, 3_167_640]


def test_the_networks_give_what_they_say(blazepose):
    with torch.no_grad():
        boxes, logits = blazepose.person(torch.zeros(2, 3, 224, 224))
        points, flag, heatmaps, world = blazepose.landmarks(torch.zeros(2, 3, 256, 256))
    assert (boxes.shape, logits.shape) == ((2, 2254, 12), (2, 2254))
    assert (points.shape, flag.shape, world.shape) == ((2, 39, 5), (2,), (2, 39, 3))
    assert heatmaps.shape == (2, 39, 64, 64)


def test_depth_to_space_takes_channels_block_by_block():
    x = torch.arange(8.0).view(1, 8, 1, 1)  # four blocks of two channels
    assert _depth_to_space(x)[0].tolist() == [[[0, 2], [4, 6]], [[1, 3], [5, 7]]]


def test_anchors_are_row_by_row_two_two_and_six_a_cell():
    centres = anchors() * 224
    assert len(centres) == 28 * 28 * 2 + 14 * 14 * 2 + 7 * 7 * 6
    assert centres[0].tolist() == centres[1].tolist() == [4, 4]
    assert centres[2].tolist() == [12, 4]
    assert centres[2 * 28].tolist() == [4, 12]
    assert centres[28 * 28 * 2].tolist() == [8, 8]
    assert centres[-1].tolist() == [208, 208]


def test_a_crop_that_is_not_turned_is_the_picture_itself():
    picture = torch.randint(0, 256, (8, 8, 3), dtype=torch.uint8)
    seen = sample(picture, crop(4.0, 4.0, 8.0), 8, outside="black")
    assert torch.equal(seen[0], picture.permute(2, 0, 1).float())


def test_a_crop_turned_by_a_right_angle_has_its_x_axis_down():
    picture = torch.zeros(9, 9, 3, dtype=torch.uint8)
    picture[6, 4] = 200  # 2 px below the middle
    seen = sample(picture, crop(4.0, 4.0, 8.0, math.pi / 2), 8, outside="black")[0, 0]
    assert seen.nonzero().tolist() == [[4, 6]]  # 2 to the right of the crop's middle


def test_outside_is_black_or_as_the_border():
    picture = torch.full((4, 2, 3), 90, dtype=torch.uint8)
    black = sample(picture, crop(1.0, 2.0, 4.0), 4, outside="black")[0, 0]
    assert black[0].tolist() == [0, 90, 90, 0]
    assert (sample(picture, crop(1.0, 2.0, 4.0), 4, outside="border") == 90).all()


def test_a_place_of_the_crop_is_a_place_of_the_picture_and_the_picture_is_sampled_there():
    turned = crop(100.0, 60.0, 40.0, 0.3)
    corner = turned.to_px(torch.tensor([[[0.0, 0.0]]]))[0, 0].tolist()
    cos, sin = math.cos(0.3), math.sin(0.3)
    assert corner == pytest.approx([100 - 20 * cos + 20 * sin, 60 - 20 * sin - 20 * cos], abs=1e-4)
    x, y = torch.meshgrid(torch.arange(200.0), torch.arange(120.0), indexing="xy")
    slope = torch.stack((x, y, y), -1).to(torch.uint8)
    seen = sample(slope, turned, 256, outside="black")[0]
    place = turned.to_px(torch.tensor([[[80 / 256, 200 / 256]]]))[0, 0]
    assert seen[:2, 200, 80].tolist() == pytest.approx(place.tolist(), abs=0.51)  # whole numbers


def test_who_stands_gets_an_upright_crop_and_who_lies_a_turned_one():
    hips = torch.tensor([[50.0, 50.0]] * 2)
    crops = about(hips, torch.tensor([[50.0, 10.0], [90.0, 50.0]]))  # above; to the right
    assert crops.side.tolist() == [100, 100]  # 2.5 x 40
    assert crops.angle.tolist() == pytest.approx([0, math.pi / 2])


def test_an_anchor_is_decoded_to_px_of_the_picture():
    values, logits = torch.zeros(1, 2254, 12), torch.full((1, 2254), -9.0)
    logits[0, 0] = 2.0  # the first anchor, in the middle of the first cell: 4 px
    values[0, 0, :6] = torch.tensor([0, 0, 20, 20, 108, 52])  # 108 + 4 = 112: half of 224
    found = decode(
        values,
        logits,
        upright(torch.tensor([[10.0, 20.0, 448.0]])),
        least_score=0.5,
        most_overlap=0.3,
    )
    assert found.points[0, 0].tolist() == [10 - 224 + 224, 20 - 224 + 112]
    assert found.scores.tolist() == pytest.approx([torch.tensor(2.0).sigmoid().item()])
    assert found.square.tolist() == [0]


def test_boxes_that_overlap_become_their_weighted_mean():
    pairs = torch.tensor([
        [[10.0, 10.0], [8.0, 8.0], [1.0, 1.0]],
        [[14.0, 10.0], [8.0, 8.0], [5.0, 1.0]],  # a third of both is common
        [[40.0, 40.0], [8.0, 8.0], [9.0, 9.0]],
    ])  # fmt: skip
    merged, scores = merge(pairs, torch.tensor([0.6, 0.9, 0.7]), most_overlap=0.3)
    assert scores.tolist() == pytest.approx([0.9, 0.7])
    assert merged[0, 2].tolist() == pytest.approx([(5 * 0.9 + 1 * 0.6) / 1.5, 1.0])
    assert merged[1, 0].tolist() == [40, 40]


def test_overlap_is_the_common_area_over_the_whole():
    a = torch.tensor([[0.0, 0.0, 2.0, 2.0]])
    b = torch.tensor([[1.0, 0.0, 3.0, 2.0], [5.0, 5.0, 6.0, 6.0], [1.0, 1.0, 1.0, 1.0]])
    assert overlap(a, b)[0].tolist() == pytest.approx([1 / 3, 0, 0])


def test_a_point_moves_to_the_middle_of_its_heatmap_without_half_a_cell():
    heatmaps = torch.full((1, 2, 64, 64), -50.0)
    heatmaps[0, :, 20, 31] = heatmaps[0, :, 20, 32] = 1.0
    points = torch.tensor([[[30.2 / 64, 21.0 / 64], [50 / 64, 20 / 64]]])  # near it, and far away
    moved = refine(points, heatmaps)
    assert (moved[0, 0] * 64).tolist() == pytest.approx([31.5, 20.0], abs=1e-5)
    assert torch.equal(moved[0, 1], points[0, 1])


def test_a_weak_heatmap_moves_nothing_and_neither_does_a_point_off_the_map():
    heatmaps = torch.full((1, 1, 64, 64), -0.1)  # sigmoid below 0.5
    inside, outside = torch.tensor([[[0.5, 0.5]]]), torch.tensor([[[1.2, -0.3]]])
    assert torch.equal(refine(inside, heatmaps), inside)
    assert torch.equal(refine(outside, heatmaps + 1), outside)


def test_the_parts_of_a_picture_cover_it_and_share_a_third():
    parts = parts_of(640, 480, 3)
    assert (parts.centre[0].tolist(), parts.side[0].item()) == ([320, 240], 640)
    assert len(parts) == 1 + 4 + 9
    low = parts.centre - parts.side[:, None] / 2
    high = low + parts.side[:, None]
    for number in (slice(1, 5), slice(5, 14)):
        assert low[number].min(0).values.tolist() == pytest.approx([0, 0], abs=1e-3)
        assert high[number].max(0).values.tolist() == pytest.approx([640, 480], abs=1e-3)
    assert parts.side[1].item() == pytest.approx(640 / (1 + 2 / 3))
    assert len(parts_of(640, 480, 1)) == 1
    assert len(parts_of(640, 300, 2)) == 1 + 2  # parts of 384 px: one row is enough


def test_a_box_is_looked_at_in_a_square_with_room():
    square = around(torch.tensor([[10.0, 20.0, 40.0, 80.0]]))
    assert (square.centre.tolist(), square.side.tolist()) == ([[30, 60]], [100])


def test_of_crops_that_lie_alike_the_surest_is_kept():
    crops = upright(torch.tensor([[50.0, 50, 100], [60, 50, 110], [60, 50, 30], [200, 50, 100]]))
    assert distinct(crops, torch.tensor([0.6, 0.9, 0.5, 0.8])).tolist() == [1, 3, 2]


def person(x, score, size=100.0):
    joints = torch.rand(33, 2, generator=torch.Generator().manual_seed(0)) * size
    joints += torch.tensor([x, 0.0])
    box = torch.tensor([x, 0.0, size, size])
    return DetectedPerson(box_px=box, score=score, joints2d=joints, confidence=torch.ones(33))


def test_a_person_who_was_found_twice_counts_once():
    people = [person(0, 0.7), person(10, 0.9), person(60, 0.8)]
    assert [p.score for p in apart(people)] == [0.9, 0.8]


def look(places, flag):
    one = torch.ones(39)
    return _Look(
        places=places,
        world=torch.cat((places, places[:, :1]), -1),
        visibility=one,
        presence=one,
        flag=torch.tensor(flag),
    )


def test_a_mirrored_look_is_turned_back():
    places = torch.rand(39, 2, generator=torch.Generator().manual_seed(1))
    last = 255 / 256
    mirrored = torch.stack((last - places[:, 0], places[:, 1]), -1)[_MIRROR]
    assert torch.allclose(_mirrored(look(mirrored, 1.0)).places, places, atol=1e-6)
    assert _MIRROR[11] == 12 and _MIRROR[33:] == [33, 34, 35, 36, 37, 38]
    assert torch.equal(_mirrored(look(places, 1.0)).world[12, 0], -places[11, 0])


def test_two_looks_that_agree_are_averaged_and_others_are_not():
    places = torch.rand(39, 2, generator=torch.Generator().manual_seed(1))
    agreed, error, swapped = _agreed(look(places, 0.8), look(places + 0.02, 1.0))
    assert torch.allclose(agreed.places, places + 0.01)
    assert (error.item(), bool(swapped)) == (pytest.approx(0.02 * 2**0.5, rel=1e-4), False)
    agreed, error, _ = _agreed(look(places, 0.8), look(places + 0.2, 0.6))
    assert torch.equal(agreed.places, places)  # the surer
    assert error > 0.09


def test_left_and_right_that_change_places_are_told_from_another_person():
    places = torch.rand(39, 2, generator=torch.Generator().manual_seed(1))
    agreed, error, swapped = _agreed(look(places, 0.8), look(places[_MIRROR], 0.9))
    assert bool(swapped)
    assert error.item() == 0
    assert torch.equal(agreed.places, places[_MIRROR])


def test_boxes_are_looked_at_even_if_nobody_is_there(blazepose):
    picture = torch.zeros(90, 120, 3, dtype=torch.uint8)
    people = blazepose(picture, boxes=torch.tensor([[10, 20, 30, 60], [50, 5, 40, 80]]))
    assert [p.box_px.tolist() for p in people] == [[10, 20, 30, 60], [50, 5, 40, 80]]
    assert people[0].extras["joints3d_mm"].shape == (33, 3)
    assert blazepose(picture) == []


def test_following_looks_at_the_crop_that_the_last_frame_named(blazepose, monkeypatch):
    seen = []
    monkeypatch.setattr(blazepose, "_look", lambda picture, crops: seen.append(crops) or [])
    (someone,) = [person(0, 0.9)]
    someone.extras["next_crop"] = torch.tensor([[50.0, 60.0], [50.0, 20.0]])
    blazepose.follow(torch.zeros(9, 9, 3, dtype=torch.uint8), [someone])
    assert (seen[0].centre.tolist(), seen[0].side.tolist()) == ([[50, 60]], [100])


@pytest.mark.parametrize("wrong", ["tiles=0", "max_people=0", "least_score=2"])
def test_numbers_that_mean_nothing_are_refused(wrong):
    with pytest.raises(ValueError, match=r"expected (int, 1|float, 0) to "):
        build_detector(f"blazepose:{wrong}")


def test_without_weights_it_says_what_to_type(tmp_path, monkeypatch):
    monkeypatch.setenv("POSEZOO_CACHE", str(tmp_path))
    with pytest.raises(
        ValueError, match=r"weights 'blazepose' are not here \(looked in .*\)\. Type: "
    ):
        build_detector("blazepose")


@pytest.mark.skipif("blazepose" not in all_stored(), reason="posezoo weights get blazepose")
def test_with_its_weights_it_finds_nobody_in_noise():
    noise = torch.randint(0, 256, (200, 300, 3), dtype=torch.uint8)
    assert build_detector("blazepose:tiles=1")(noise) == []


def test_its_networks_may_run_in_onnxruntime(tmp_path):
    pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    helper, number = onnx.helper, onnx.TensorProto.FLOAT
    shapes = {"points": [1, 39, 5], "flag": [1], "heatmaps": [1, 39, 64, 64], "world_m": [1, 39, 3]}
    networks = ("person", 224, {"boxes": [1, 1], "logits": [1]}), ("landmarks", 256, shapes)
    for name, side, outputs in networks:
        nodes = []
        for output, shape in outputs.items():
            value = helper.make_tensor(output, number, shape, [7.0] * math.prod(shape))
            nodes.append(helper.make_node("Constant", [], [output], value=value))
        given = [helper.make_tensor_value_info("picture", number, [1, 3, side, side])]
        taken = [helper.make_tensor_value_info(o, number, s) for o, s in outputs.items()]
        model = helper.make_model(
            helper.make_graph(nodes, name, given, taken),
            opset_imports=[helper.make_opsetid("", 18)], ir_version=9,
        )  # fmt: skip
        onnx.save(model, tmp_path / f"it-{name}.onnx")
    exported = BlazePose(onnx=str(tmp_path / "it.onnx"))
    look = exported._read(torch.zeros(1, 3, 256, 256))
    assert float(look.flag) == 7 and look.world.shape == (39, 3) and (look.world == 7).all()
    with pytest.raises(ValueError, match="is no ONNX file"):
        BlazePose(onnx=str(tmp_path / "other.onnx"))
    (tmp_path / "it-person.onnx").write_bytes((tmp_path / "it-landmarks.onnx").read_bytes())
    with pytest.raises(ValueError, match=r"it-person\.onnx: takes \[\[3, 256, 256\]\] and gives"):
        BlazePose(onnx=str(tmp_path / "it.onnx"))


def test_whatever_the_number_of_threads_the_answer_is_the_same_to_the_bit(blazepose):
    picture = torch.randint(0, 256, (120, 160, 3), dtype=torch.uint8)
    boxes = torch.tensor([[10.0, 20, 30, 60], [50, 5, 40, 80], [90, 30, 60, 60]])
    before, answers = torch.get_num_threads(), []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        answers.append([blazepose(picture, boxes=boxes), torch.get_num_threads()])
    torch.set_num_threads(before)
    (one, _), (two, still) = answers
    assert still == 2
    assert all(torch.equal(a.joints2d, b.joints2d) for a, b in zip(one, two, strict=True))
    assert not any(person.joints2d.requires_grad for person in two)


def test_of_no_boxes_nobody_is_found(blazepose):
    assert blazepose(torch.zeros(8, 8, 3, dtype=torch.uint8), boxes=torch.empty(0, 4)) == []


def test_a_crop_beside_the_picture_is_black_or_what_the_border_is():
    picture = torch.full((6, 4, 3), 90, dtype=torch.uint8)
    for x, y in ((-50.0, 3.0), (50.0, 3.0), (2.0, -50.0), (2.0, 50.0)):
        assert (sample(picture, crop(x, y, 4.0), 4, outside="black") == 0).all()
        assert (sample(picture, crop(x, y, 4.0), 4, outside="border") == 90).all()
