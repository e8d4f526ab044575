import numpy as np
import pytest

from posezoo.data.convert.conversion_cache import ConversionCache
from posezoo.data.store.pose_sequence import PoseSequence


def clip(name, frames, *, pictures=True):
    rng = np.random.default_rng(frames)
    return PoseSequence(
        joints2d_px=rng.normal(size=(frames, 17, 2)),
        joints3d_mm=rng.normal(size=(frames, 17, 3)),
        root_mm=rng.normal(size=(frames, 3)),
        labelled2d=rng.random((frames, 17)) > 0.5,
        labelled3d=rng.random((frames, 17)) > 0.5,
        visible=rng.random((frames, 17)) > 0.5,
        camera=np.arange(10.0),
        subject=name,
        action="walk",
        sequence="take",
        view="left",
        frame=np.arange(frames) * 5,
        pictures=[f"{name} {k}".encode() for k in range(frames)] if pictures else None,
    )


def test_shots_come_back_as_they_went_in_piece_by_piece(tmp_path):
    cache = ConversionCache(tmp_path / "x.partial", {}, restart=False)
    pieces = [[clip("a", 2), clip("b", 3)], [], [clip("c", 1), clip("d", 2, pictures=False)]]
    for number, sequences in enumerate(pieces):
        assert number not in cache
        cache.put(number, sequences, [{"reason": "because"}])
        assert number in cache
    assert [len(cache.head(k)["sequences"]) for k in range(3)] == [2, 0, 2]
    assert cache.head(1)["remarks"] == [{"reason": "because"}]
    found, given = [*cache.sequences(3)], [each for sequences in pieces for each in sequences]
    for one, other in zip(found, given, strict=True):
        assert (one.subject, one.pictures) == (other.subject, other.pictures)
        for name in ("joints2d_px", "joints3d_mm", "root_mm", "labelled3d", "visible", "frame"):
            assert (getattr(one, name) == getattr(other, name)).all()
        assert one.camera.tolist() == [[*range(10)]] * len(other)


def test_a_cache_is_taken_up_by_its_own_source_only(tmp_path):
    folder = tmp_path / "x.partial"
    ConversionCache(folder, {"source": "a"}, restart=False).put(0, [clip("a", 1)], [])
    assert 0 in ConversionCache(folder, {"source": "a"}, restart=False)
    with pytest.raises(ValueError, match="give --restart to begin anew"):
        ConversionCache(folder, {"source": "b"}, restart=False)
    assert 0 not in ConversionCache(folder, {"source": "b"}, restart=True)
