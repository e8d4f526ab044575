import torch

from posezoo.data.places import DRAWN, PLACES, to_places
from posezoo.skeleton import H36M17

AT = PLACES.joints.index


def standing():
    """(1, 1, 17, 3) mm, camera frame: a person who faces the camera, arms hanging."""
    right = {  # x right, y down, z forward: their left is the picture's right
        "pelvis": (0, 0, 0), "spine": (0, -230, 0), "thorax": (0, -480, 0),
        "neck": (0, -560, 0), "head": (0, -730, 0),
        "right_hip": (-90, 0, 0), "right_knee": (-90, 430, 0), "right_ankle": (-90, 850, 0),
        "right_shoulder": (-180, -490, 0), "right_elbow": (-200, -200, 0),
        "right_wrist": (-200, 50, 0),
    }  # fmt: skip
    left = {n.replace("right", "left"): (-x, y, z) for n, (x, y, z) in right.items() if "_" in n}
    pose = right | left
    joints = torch.tensor([pose[name] for name in H36M17.joints], dtype=torch.float64)
    return (joints + torch.tensor([0.0, 0, 4000]))[None, None]


def test_the_17_joints_stay_and_the_others_lie_where_the_rules_say():
    joints = standing()
    places = to_places(joints, torch.zeros(1, DRAWN, dtype=torch.float64))
    assert torch.equal(places[:, :, :17], joints)
    at = {name: places[0, 0, AT(name)] - torch.tensor([0.0, 0, 4000]) for name in PLACES.joints}
    assert at["left_skin_hip"].tolist() == [111, 0, 0]  # 21 mm further out
    assert at["left_skin_shoulder"].tolist() == [159, -490, 0]  # 21 mm further in
    assert at["left_low_hip"].round().tolist() == [111, 29, 0]  # 6 % of 490 mm lower
    assert at["middle_of_hips"].tolist() == [0, 0, 0]
    assert at["head_top"].round().tolist() == [0, -831, 0]  # 490 + 1.42 * 240
    assert at["left_ear"].round().tolist() == [75, -676, 0]  # 490 + 0.775 * 240
    assert at["nose"].round().tolist() == [0, -661, -110]  # before the face, 15 mm lower
    assert at["left_eye"].round().tolist() == [32, -701, -85]


def test_a_mirrored_person_has_mirrored_places():
    joints, normal = standing(), torch.randn(1, DRAWN, dtype=torch.float64)
    normal[:, 6] = 0  # the yaw, which turns the other way
    flip = torch.tensor([-1.0, 1, 1])
    places = to_places(joints, normal)
    mirrored = to_places(joints[..., list(H36M17.mirror), :] * flip, normal)
    back = mirrored[..., list(PLACES.mirror), :] * flip
    body = [AT(name) for name in PLACES.joints if "e" != name[-2:-1] and "ear" not in name]
    assert (places - back)[..., body, :].abs().max() < 60  # eyes and ears have draws of their own


def test_people_differ_and_heads_turn():
    joints = standing().expand(500, 1, 17, 3)
    places = to_places(joints, torch.randn(500, DRAWN, dtype=torch.float64))
    nose = (
        places[:, 0, AT("nose")]
        - places[:, 0, AT("left_ear")] / 2
        - (places[:, 0, AT("right_ear")] / 2)
    )
    yaw = torch.rad2deg(torch.atan2(nose[:, 0], -nose[:, 2]))
    assert 20 < yaw.std() < 30
    spread = places[:, 0].std(0).norm(dim=-1)
    assert (spread[:17] == 0).all() and (spread[17:] > 5).all()
