"""registry.toml: what is read, and what a broken one says of itself."""

import errno
import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from posezoo.registry import ManifestError
from posezoo.registry.manifest import builtin_manifest, read_manifest

SCHEMA = 'schema = "posezoo.registry/1"\n'
GOOD = """\
[lifter.graphlift]
entry = "acme_pose.lift:GraphLift"
summary = "Lifts."
licence = "MIT"
frames = 9
defaults = { width = 64, strides = [4, 2] }
"""


def read(tmp_path: Path, text: str | bytes, **options):
    path = tmp_path / "registry.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_manifest(path, origin="acme-pose 1.0", **options)


def complaint(tmp_path: Path, text: str | bytes) -> str:
    with pytest.raises(ManifestError) as caught:
        read(tmp_path, text)
    return str(caught.value).replace(str(tmp_path / "registry.toml"), "FILE")


def test_a_stanza_becomes_an_entry(tmp_path: Path) -> None:
    (entry,) = read(tmp_path, SCHEMA + GOOD, prefix="acme")
    assert (entry.kind, entry.key, entry.licence) == ("lifter", "acme/graphlift", "MIT")
    assert (entry.target, entry.origin) == ("acme_pose.lift:GraphLift", "acme-pose 1.0")
    assert entry.facts == {"frames": 9}
    assert entry.defaults == {"width": 64, "strides": [4, 2]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", 'FILE:1: expected schema = "posezoo.registry/1", found none'),
        ('schema = "posezoo.registry/2"', "found 'posezoo.registry/2'"),
        (SCHEMA + GOOD[:30], "FILE:3:12: Unterminated string"),
        (SCHEMA + "[lifter.a", "FILE:2:10: "),
        (SCHEMA + GOOD + 'entry = "x:y"\n', "FILE:8:14: Cannot overwrite a value"),
        (SCHEMA + GOOD + GOOD, "FILE:8:18: Cannot declare"),
        (SCHEMA + "[lfter.a]\n", "FILE:2: [lfter] unknown kind 'lfter'. Did you mean 'lifter'?"),
        (SCHEMA + "[zzz.a]\n", "Known: backbone, head, lifter, detector, strategy, dataset."),
        (SCHEMA + GOOD + "frmes = 1\n", "FILE:8: [lifter.graphlift] unknown field 'frmes'. Did"),
        (SCHEMA + GOOD + "channels = [1]\n", "unknown field 'channels'"),
        (SCHEMA + GOOD.replace("9", '"9"'), "FILE:6: [lifter.graphlift] frames: expected a whole"),
        (SCHEMA + GOOD.replace("9", "true"), "expected a whole number, got bool"),
        (SCHEMA + GOOD.replace('"MIT"', '""'), "licence: expected one line of text, got ''"),
        (SCHEMA + GOOD.replace("MIT", "\\u001b[2J"), "expected one line of text"),
        (SCHEMA + "[lifter.a]\n", "FILE:2: [lifter.a] missing: entry, summary, licence"),
        (SCHEMA + GOOD.replace(":G", ".G"), 'FILE:3: [lifter.graphlift] entry: expected "package'),
        (SCHEMA + GOOD.replace("width", "skeleton"), "'skeleton' is given by the pipeline"),
        (SCHEMA + GOOD.replace("graphlift", "Graph-Lift"), "[lifter.Graph-Lift] key 'Graph-Lift'"),
        (SCHEMA + "lifter = 3\n", "expected tables [lifter.KEY]"),
        (SCHEMA + "[lifter]\na = 1\n", "expected a table [lifter.a]"),
        (SCHEMA + GOOD + GOOD.replace("lifter", "head"), "'graphlift' is a lifter's already"),
        (b'schema = "posezoo.registry/1"\nx = "\xff"\n', "FILE:2:6: not UTF-8"),
        (SCHEMA + "a = " + "[\n" * 100_000, "FILE: nested too deeply"),
        (SCHEMA + "a." * 100_000 + "a = 1", "FILE:2: a line of more than 1000 characters"),
        (SCHEMA + "#" * 50_000_000, "FILE: larger than 500000 bytes"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_broken_manifest_says_where_and_what_within_a_second(
    tmp_path: Path, text: str | bytes, message: str
) -> None:
    started = time.process_time()
    assert message in complaint(tmp_path, text)
    assert time.process_time() - started < 1


def test_every_mistake_is_reported_together(tmp_path: Path) -> None:
    text = complaint(tmp_path, SCHEMA + "[lifter.a]\nentry = 3\n[hed.b]\n[lifter.c]\npapr = 'x'\n")
    assert all(word in text for word in ("entry: expected", "'hed'", "'papr'"))


def test_a_manifest_of_ten_thousand_mistakes_shows_the_first_ten(tmp_path: Path) -> None:
    text = SCHEMA + "".join(f"[lifter.k{i}]\n" for i in range(10_000))
    assert "and more mistakes" in complaint(tmp_path, text)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=rf"nowhere\.toml: {os.strerror(errno.ENOENT)}"):
        read_manifest(tmp_path / "nowhere.toml", origin="x")
    with pytest.raises(ManifestError, match=os.strerror(errno.EISDIR)):
        read_manifest(tmp_path, origin="x")


ZOO = builtin_manifest().read_bytes()


@settings(
    max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    place=st.integers(0, len(ZOO)),
    end=st.just(len(ZOO)) | st.integers(0, len(ZOO)),
    junk=st.binary(max_size=6) | st.sampled_from([b"[", b"]]", b'"', b"=", b"\n\n", b"{", b"'''"]),
)
def test_a_damaged_manifest_is_refused_or_read_never_worse(
    tmp_path: Path, place: int, end: int, junk: bytes
) -> None:
    try:
        read(tmp_path, (ZOO[:place] + junk + ZOO[place:])[:end])
    except ManifestError as error:
        assert str(tmp_path) in str(error)
