import numpy as np
import pytest

from posezoo.data.shot import Shot
from posezoo.data.spool import Spool


def shot(name, frames, *, pictures=True):
    luck = np.random.default_rng(frames)
    return Shot(
        joints2d_px=luck.normal(size=(frames, 17, 2)),
        joints3d_mm=luck.normal(size=(frames, 17, 3)),
        root_mm=luck.normal(size=(frames, 3)),
        labelled2d=luck.random((frames, 17)) > 0.5,
        labelled3d=luck.random((frames, 17)) > 0.5,
        visible=luck.random((frames, 17)) > 0.5,
        camera=np.arange(10.0),
        subject=name,
        action="walk",
        sequence="take",
        view="left",
        frame=np.arange(frames) * 5,
        pictures=[f"{name} {k}".encode() for k in range(frames)] if pictures else None,
    )


def test_shots_come_back_as_they_went_in_piece_by_piece(tmp_path):
    spool = Spool(tmp_path / "x.partial", {}, restart=False)
    pieces = [[shot("a", 2), shot("b", 3)], [], [shot("c", 1), shot("d", 2, pictures=False)]]
    for number, shots in enumerate(pieces):
        assert number not in spool
        spool.put(number, shots, [{"reason": "because"}])
        assert number in spool
    assert [len(spool.head(k)["shots"]) for k in range(3)] == [2, 0, 2]
    assert spool.head(1)["remarks"] == [{"reason": "because"}]
    found, given = [*spool.shots(3)], [each for shots in pieces for each in shots]
    for one, other in zip(found, given, strict=True):
        assert (one.subject, one.pictures) == (other.subject, other.pictures)
        for name in ("joints2d_px", "joints3d_mm", "root_mm", "labelled3d", "visible", "frame"):
            assert (getattr(one, name) == getattr(other, name)).all()
        assert one.camera.tolist() == [[*range(10)]] * len(other)


def test_a_spool_is_taken_up_by_its_own_source_only(tmp_path):
    folder = tmp_path / "x.partial"
    Spool(folder, {"source": "a"}, restart=False).put(0, [shot("a", 1)], [])
    assert 0 in Spool(folder, {"source": "a"}, restart=False)
    with pytest.raises(ValueError, match="give --restart to begin anew"):
        Spool(folder, {"source": "b"}, restart=False)
    assert 0 not in Spool(folder, {"source": "b"}, restart=True)
