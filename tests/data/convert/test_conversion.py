import sys
import types

import numpy as np
import pytest

from posezoo.data.convert import conversion, formats, h36m_faults
from posezoo.data.convert.cameras import Station
from posezoo.data.convert.conversion import convert
from posezoo.data.convert.formats import Format, get_format
from posezoo.data.convert.h36m_faults import Fix
from posezoo.data.convert.recipe import Options, Piece, Reading
from posezoo.data.convert.source_sequence import SourceSequence, finish
from posezoo.data.store.store_file import open_store
from posezoo.skeleton import H36M17

VIEW = "54138969"


@pytest.fixture
def source(tmp_path, studio, monkeypatch, save_picture):
    """A format of four pieces, each of three frames with a picture; counts what is read."""
    for frame in range(12):
        save_picture(tmp_path / f"{frame}.jpg", 1000, 1002)
    file = tmp_path / "source.bin"
    file.write_text("version 1")
    state = types.SimpleNamespace(file=file, read=[], fail={})
    lens = np.array([*studio.lenses[VIEW], 1.0])

    def read_piece(number, options, remarks):
        state.read.append(number)
        if number in state.fail:
            raise state.fail[number]
        rows = slice(3 * number, 3 * number + 3)
        recording = SourceSequence(
            skeleton=H36M17,
            subject=f"p{number}",
            action="walk",
            sequence=f"take {number}",
            view=VIEW,
            frame=np.arange(12)[rows],
            camera=lens,
            camera_mm=studio.mm(VIEW)[rows, studio.used],
            picture=lambda row: tmp_path / f"{3 * number + row}.jpg",
        )
        remarks.repaired(1, "a patch")
        return finish(recording, options, remarks)

    def read(_, options):
        pieces = [
            Piece(f"piece {k}", lambda remarks, k=k: read_piece(k, options, remarks))
            for k in range(4)
        ]
        return Reading(H36M17, pieces, [file])

    module = types.ModuleType("posezoo.data.convert.tiny")
    module.read = read
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(formats.FORMATS, "tiny", Format("tiny", "for tests"))
    return state


@pytest.fixture
def run(source, tmp_path):
    def call(out="store.h5", *, restart=False, val="", **options):
        path = tmp_path / "out" / out
        return convert(
            "tiny", source.file, path, options=Options(**options), restart=restart, val=val
        )

    return call


def files(tmp_path):
    return sorted(str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*"))


@pytest.mark.parametrize("fault", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_a_broken_off_conversion_goes_on_where_it_stopped(source, run, tmp_path, fault):
    whole = run("whole.h5")
    source.read.clear()
    source.fail = {2: fault}
    with pytest.raises(type(fault)):
        run()
    assert files(tmp_path)[:4] == [
        "store.h5.partial",
        *(f"store.h5.partial/{name}" for name in ("000000.npz", "000001.npz", "cache.json")),
    ]
    source.fail, before = {}, len(source.read)
    report = run()
    assert source.read[before:] == [2, 3]
    assert files(tmp_path) == ["store.h5", "whole.h5"]
    assert report.remarks == whole.remarks
    one, other = open_store(tmp_path / "out/store.h5"), open_store(tmp_path / "out/whole.h5")
    for name in one.columns:
        assert one[name].tobytes() == other[name].tobytes(), name
    assert one["pictures"].size > 12 * 600


def test_restart_reads_everything_anew(source, run):
    source.fail = {2: KeyboardInterrupt()}
    with pytest.raises(KeyboardInterrupt):
        run()
    source.fail, source.read = {}, []
    run(restart=True)
    assert source.read == [0, 1, 2, 3]


def test_a_cache_of_another_conversion_is_not_mixed_in(source, run, tmp_path):
    source.fail = {1: KeyboardInterrupt()}
    with pytest.raises(KeyboardInterrupt):
        run()
    source.fail = {}
    with pytest.raises(ValueError, match=r"store\.h5\.partial: is left from .* give --restart"):
        run(every=2)
    source.file.write_text("version 2, longer")
    with pytest.raises(ValueError, match="files that have changed since"):
        run()
    assert run(restart=True).frames == 12


def test_a_refused_piece_leaves_nothing(source, run, tmp_path):
    source.fail = {3: ValueError("piece 3 is in feet")}
    with pytest.raises(ValueError, match="piece 3 is in feet"):
        run()
    assert files(tmp_path) == []


def test_a_wrong_name_in_val_keeps_what_was_read(source, run):
    with pytest.raises(ValueError, match="val names nobody; the people are p0/p1/p2/p3"):
        run(val="nobody")
    run(val="p1")
    assert source.read == [0, 1, 2, 3]


def test_an_existing_store_is_left_alone(source, run, tmp_path):
    run()
    before = (tmp_path / "out/store.h5").read_bytes()
    with pytest.raises(ValueError, match=r"store\.h5: exists already"):
        run()
    assert (tmp_path / "out/store.h5").read_bytes() == before


def test_every_second_frame(source, run, tmp_path):
    assert run(every=2).frames == 8
    store = open_store(tmp_path / "out/store.h5")
    assert store["frame"].tolist() == [0, 2, 3, 5, 6, 8, 9, 11]
    with pytest.raises(ValueError, match="every is 0, expected 1 or more"):
        run("other.h5", every=0)


def test_progress_is_told_piece_by_piece(source, tmp_path):
    calls = []
    convert(
        "tiny",
        source.file,
        tmp_path / "s.h5",
        options=Options(),
        progress=lambda *state: calls.append(state),
    )
    assert calls == [*((k, 4, f"piece {k}") for k in range(4)), (4, 4, "")]


def test_remarks_of_one_reason_are_one_line(run):
    assert run().lines() == [
        "kept 12 frames of 4 people in 4 sequences",
        f"joints: h36m17 to h36m17: exact: {', '.join(H36M17.joints)}",
        "repaired 4 frames in 4 pieces: a patch",
    ]


def test_unknown_formats_and_sources_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"unknown format 'videopose'. Did you mean 'videopose3d'"):
        get_format("videopose")
    with pytest.raises(ValueError, match="no such file or folder"):
        convert("coco", tmp_path / "none", tmp_path / "out.h5", options=Options())


@pytest.mark.parametrize("name", formats.FORMATS)
def test_every_format_has_its_reader(name):
    assert callable(get_format(name).read)


def test_a_known_fault_is_put_right_by_its_name_and_stands_in_the_report(
    source, tmp_path, monkeypatch
):
    known = {
        "drop-one": Fix(summary="", subject="p1", sequences=["take 1"]),
        "move-two": Fix(
            summary="", subject="p2", sequences=["take 2"], shift_world_mm=[-200.0, 0.0, 0.0]
        ),
    }
    monkeypatch.setattr(h36m_faults, "fixes", lambda: known)
    stations = {"p2": [Station(VIEW, np.zeros(10), np.eye(3)[[1, 0, 2]], np.zeros(3), (1, 1))]}
    monkeypatch.setattr(conversion, "read_cameras", lambda *_: stations)

    def converted(name, fixes):
        out = tmp_path / name
        options = Options(cameras=tmp_path / "cameras.json")
        report = convert("tiny", source.file, out, options=options, fixes=fixes)
        return open_store(out), report

    plain, _ = converted("plain.h5", [])
    fixed, report = converted("fixed.h5", ["drop-one", "move-two"])
    assert report.frames == len(fixed["frame"]) == 9
    texts = [(note["what"], note["frames"]) for note in report.remarks if "fix" in note["reason"]]
    assert texts == [("dropped", 3), ("repaired", 3)]
    before, after = (
        store["root_mm"][store.names("subject")[store["subject"]] == "p2"]
        for store in (plain, fixed)
    )
    np.testing.assert_allclose(after - before, [[0, -200, 0]] * 3, atol=1e-3)
    with pytest.raises(ValueError, match=r"unknown fix move-too. Known: drop-one, move-two"):
        converted("other.h5", ["move-too"])
