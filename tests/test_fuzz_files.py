"""Files that no program wrote against everything that reads one.

A sample of what `python -m benchmarks.fuzz_files --inputs 1000000` does, and trees of JSON that
Hypothesis makes up. The 2,000 inputs of each format would take CI forty minutes of a core.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.fuzz_files import READ, REFUSED, run, sample, verdict
from benchmarks.fuzz_seeds import targets

LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=50)
TREES = st.recursive(
    LEAVES,
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(st.text(max_size=9), inside),
    max_leaves=15,
)
# What the first million inputs found, and was mended: numbers too large for their squares, NaN as a
# frame, names that are none, errors that named no file or said too much.
ONCE_BUGS = (
    *(("martinez", 622), ("mmpose", 927), ("motionbert", 40), ("3dhp-train", 323), ("mocap", 552)),
    *(("mocap", 1136), ("store", 116), ("store", 316), ("store", 1048), ("bvh", 757)),
    *(("asf-amc", 60), ("asf-amc", 202), ("asf-amc", 255), ("own.json", 394), ("own.npz", 1329)),
    *(("keypoints/videopose3d.npz", 6576), ("detections/hourglass", 1437), ("3dpw", 456)),
    *(("h3wb", 1065), ("study", 2043), ("study", 11323), ("video", 77), ("video", 255)),
    *(("eval", 3078), ("weights-card", 21691), ("weights-import", 20), ("weights-import", 1083)),
    *(("checkpoint", 113), ("cameras", 29377), ("weights-folder", 2012)),
    *(("pictures", 537), ("pictures", 602), ("pictures", 1177), ("pictures", 11072)),
)
OF_JSON = {  # the file of a format that is quick to read
    **{name: f"{name}.json" for name in ("eval", "errors", "cameras", "boxes", "config")},
    **{name: Path(name).name for name in targets() if name[:3] == "key" and name[-5:] == ".json"},
}


def test_a_sample_of_changed_files_is_read_or_refused_in_one_line(monkeypatch):
    pytest.importorskip("cdflib")
    pytest.importorskip("scipy")
    pytest.importorskip("onnxruntime")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    once = [(name, range(seed, seed + 1)) for name, seed in ONCE_BUGS]
    tallies = run(sample(targets()) + once, lambda name, tally: None)
    assert {name: tally.faults for name, tally in tallies.items() if tally.faults} == {}
    whole = sum((tally.counts for tally in tallies.values()), Counter())
    assert whole[READ] > 1000 and whole[REFUSED] > 3500


@pytest.mark.parametrize("name", OF_JSON)
def test_any_tree_of_json_in_its_place_is_read_or_refused_in_one_line(name, tmp_path):
    target, file = targets()[name], tmp_path / "in" / OF_JSON[name]
    file.parent.mkdir()
    (tmp_path / "out").mkdir()
    target.make(file.parent)
    whole = json.loads(file.read_text())

    @settings(
        max_examples=40,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(TREES, st.integers(0, 10))
    def check(tree, place):
        """The tree alone, or in the place of one part of a whole file."""
        content = tree
        if isinstance(whole, dict) and place < len(whole):
            content = {**whole, [*whole][place]: tree}
        elif isinstance(whole, list) and place < len(whole):
            content = [*whole[:place], tree, *whole[place + 1 :]]
        file.write_text(json.dumps(content))
        found = verdict(lambda: target.read(file.parent, tmp_path / "out"), tmp_path)
        assert found in (READ, REFUSED)

    check()
