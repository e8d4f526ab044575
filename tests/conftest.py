"""Fixtures that several folders share."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import h5py
import numpy as np
import pytest

from posezoo.cores import cores, wait_quietly

# Before torch is loaded, which then reads it: tests run beside each other, and beside other work.
wait_quietly()
if beside := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "0")):
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores() // beside)))

import torch

from posezoo import registry
from posezoo.camera import Camera
from posezoo.contracts import Batch
from posezoo.data.batches import make_batch
from posezoo.data.store.pose_sequence import PoseSequence
from posezoo.data.store.store_writer import write_store
from posezoo.registry import catalog
from posezoo.skeleton import H36M17
from posezoo.testing import assert_equal_up_to_rounding

if not torch.cuda.is_available():  # Triton reads it on import, and posezoo.ops imports Triton
    os.environ["TRITON_INTERPRET"] = "1"

LONGEST_S = 600  # that a program which a test starts may take

STANZA = """\
[lifter.graphlift]
entry = "{package}.lift:GraphLift"
summary = "A lifter from elsewhere."
licence = "MIT"
"""


@pytest.fixture
def install_plugin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Path]]:
    """Lay out an installed distribution, as pip would, and put it on the path."""
    before = set(sys.modules)

    def install(
        prefix: str = "acme",
        *,
        package: str = "acme_pose",
        value: str | None = None,
        stanzas: str | None = STANZA,
        schema: str = 'schema = "posezoo.registry/1"\n',
        code: str = "class GraphLift:\n    def __init__(self, *, width: int = 8) -> None: ...\n",
    ) -> Path:
        site = tmp_path / f"site_{prefix}_{package}"
        folder = site.joinpath(*package.split("."))
        folder.mkdir(parents=True)
        # Only acme_pose may be imported; finding any other must not run it.
        init = "" if package == "acme_pose" else "raise RuntimeError('imported')"
        for parent in (folder, *folder.parents):
            if parent == site:
                break
            (parent / "__init__.py").write_text(init)
        (folder / "lift.py").write_text(code)
        if stanzas is not None:
            (folder / "registry.toml").write_text(schema + stanzas.format(package=package))
        info = site / f"{package.replace('.', '_')}_{prefix}-1.2.dist-info"
        info.mkdir()
        name = f"{package.replace('.', '-').replace('_', '-')}-{prefix}"
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.2\n")
        target = package if value is None else value
        (info / "entry_points.txt").write_text(f"[posezoo.registry]\n{prefix} = {target}\n")
        monkeypatch.syspath_prepend(site)
        registry.refresh()
        return folder

    yield install
    catalog.discard(catalog.entries())
    registry.refresh()  # last: the path is put back after this
    for name in set(sys.modules) - before:
        if name.startswith(("acme", "other", "posezoo_plugin_")):
            del sys.modules[name]


@pytest.fixture
def painted() -> Iterator[ModuleType]:
    """tests/inference/painted.py: a detector of painted people, and what paints them."""
    found = registry.load_plugin_file(Path(__file__).parent / "inference" / "painted.py")
    name = found[0].target.partition(":")[0]
    yield sys.modules[name]
    catalog.discard(found)
    sys.modules.pop(name, None)


@pytest.fixture(scope="session")
def in_ranks(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., list[list[Any]]]:
    """Make calls in processes that share work, and give what each rank answered to each call.

    A call is the name of a function of `file`, or "cli", and its arguments, as JSON.
    """
    root = Path(__file__).parents[1]

    def run(file: str, calls: Sequence[tuple[str, list[Any]]], size: int = 2) -> list[list[Any]]:
        folder = tmp_path_factory.mktemp("ranks")
        place = {"WORLD_SIZE": size, "LOCAL_WORLD_SIZE": size, "OMP_NUM_THREADS": 1}
        path = os.pathsep.join([str(root), str(root / "kernels")])
        processes = [
            subprocess.Popen(
                [sys.executable, Path(__file__).with_name("rank.py"), file, folder],
                stdin=subprocess.PIPE,
                stdout=(folder / f"{rank}.txt").open("w"),  # a full pipe would hold it up
                stderr=subprocess.STDOUT,
                text=True,
                env={
                    **os.environ,
                    **{name: str(value) for name, value in place.items()},
                    **dict.fromkeys(("RANK", "LOCAL_RANK"), str(rank)),
                    "PYTHONPATH": path,
                    "PYTHONFAULTHANDLER": "1",
                },
            )
            for rank in range(size)
        ]
        for process in processes:
            assert process.stdin is not None
            process.stdin.write(json.dumps(calls))
            process.stdin.close()
            process.stdin = None
        deadline = time.monotonic() + LONGEST_S
        while None in (codes := [process.poll() for process in processes]) and not any(codes):
            time.sleep(0.05)
            if time.monotonic() > deadline:
                break
        for process in processes:
            end_tree(process.pid, say_where=time.monotonic() > deadline)
            process.wait()
        outputs = [(folder / f"{rank}.txt").read_text() for rank in range(size)]
        assert codes == [0] * size, "\n".join(outputs)
        return [
            [json.loads((folder / f"{number}.{rank}").read_text()) for rank in range(size)]
            for number in range(len(calls))
        ]

    return run


def end_tree(pid: int, *, say_where: bool) -> None:
    """Kill a process and all that it has started; first they say where they stand, on stderr."""
    tree = [pid]
    for each in tree:  # grows on the way
        tree += [child for child, parent in _parents().items() if parent == each]
    for signum in (signal.SIGABRT, signal.SIGKILL) if say_where else (signal.SIGKILL,):
        for each in tree:
            with suppress(ProcessLookupError):
                os.kill(each, signum)
        if signum == signal.SIGABRT:
            time.sleep(3)


def _parents() -> dict[int, int]:
    """The parent of each process; empty where there is no /proc."""
    found = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            found[int(file.parent.name)] = int(file.read_text().rpartition(")")[2].split()[1])
    return found


@pytest.fixture(scope="session")
def run_bounded() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a program that starts others; one that hangs is ended with them, and says where."""

    def run(
        words: Sequence[str], *, env: Mapping[str, str], cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            process = subprocess.Popen(
                words, env={**env, "PYTHONFAULTHANDLER": "1"}, cwd=cwd, stdout=out, stderr=err
            )
            try:
                code = process.wait(LONGEST_S)
            except subprocess.TimeoutExpired:
                end_tree(process.pid, say_where=True)
                code = process.wait()
            for file in (out, err):
                file.seek(0)
            done = subprocess.CompletedProcess([*words], code, out.read(), err.read())
        assert code != -signal.SIGABRT, f"had not ended after {LONGEST_S} s: {done.stderr}"
        return done

    return run


# One person standing at (300, -200) mm, arms a little out: Human3.6M-17 order, z up.
STANDING_MM = np.array((300, -200, 0)) + np.array([
    (0, 0, 930), (-110, 0, 920), (-120, -10, 490), (-125, 20, 90),
    (110, 0, 920), (120, -10, 490), (125, 20, 90),
    (0, 10, 1160), (0, 20, 1400), (0, 0, 1500), (0, -10, 1600),
    (150, 20, 1390), (300, 30, 1180), (420, 0, 1000),
    (-150, 20, 1390), (-300, 30, 1180), (-420, 0, 1000),
], float)  # fmt: skip


@pytest.fixture(scope="session")
def make_mocap():
    """Make a file of people with so many poses each; `change` alters the positions."""

    def make(path, people=None, change=lambda positions: positions, **attributes):
        rng = np.random.default_rng(0)
        with h5py.File(path, "w") as file:
            file.attrs.update({"units": "mm", "up_axis": "z", "parents": H36M17.parents})
            file.attrs.update(attributes)
            for person, count in (people or {"anna": 12, "ben": 3, "cem": 6}).items():
                poses = STANDING_MM + rng.normal(0, 20, (count, 17, 3))
                trial = file.create_group(f"{person}/walk_01")
                trial["positions_mm"] = change(poses).astype(np.float32)
                trial.attrs["action_class"] = "walk"
        return path

    return make


@pytest.fixture(scope="session")
def make_walks():
    """Make a store of S9 and S11, two recordings each before cameras "a" and "b"."""

    def make(path: Path, frames: int = 12) -> Path:
        rng = np.random.default_rng(0)
        camera = Camera.make(focal_px=(1000, 1000), centre_px=(499.5, 499.5))
        clips = []
        for person in ("S9", "S11"):
            for recording in ("Walking", "Walking 1"):
                poses = STANDING_MM + rng.normal(0, 20, (frames, 17, 3))
                poses[..., 1] += 40.0 * np.arange(frames)[:, None]
                for view, side in (("a", 1), ("b", -1)):  # from the front, and from behind
                    x, y, z = np.moveaxis(poses, -1, 0)
                    seen = torch.from_numpy(np.stack([side * x, 1000 - z, 4500 + side * y], -1))
                    known = np.ones((frames, 17), bool)
                    clips.append(PoseSequence(
                        joints2d_px=camera.project(seen).numpy(),
                        joints3d_mm=(seen - seen[:, :1]).numpy(), root_mm=seen[:, 0].numpy(),
                        labelled2d=known, labelled3d=known, visible=known,
                        camera=camera.parameters.double().numpy(), subject=person, action="Walking",
                        sequence=recording, view=view, frame=np.arange(frames),
                    ))  # fmt: skip
        write_store(path, clips, skeleton=H36M17, val="S11")
        return path

    return make


@pytest.fixture(scope="session")
def assert_same_items() -> Callable[[Batch, Batch], None]:
    """Two batches with the same items, computed beside different others.

    A joint is some 64 operations, in px on numbers as large as focal length and centre, in mm as
    large as its place; what is drawn may be a grey level off where it is rounded.
    """

    def check(found: Batch, expected: Batch) -> None:
        lens = float(expected.camera.parameters[:, :4].abs().max())
        place = float(expected.root_mm.abs().max() + expected.joints3d.abs().max())
        for name, magnitude in (("joints2d", lens), ("joints3d", place), ("root_mm", place)):
            pair = getattr(found, name), getattr(expected, name)
            assert_equal_up_to_rounding(*pair, terms=64, magnitude=magnitude)
        lenses = found.camera.parameters, expected.camera.parameters
        assert_equal_up_to_rounding(*lenses, terms=64)
        for name in ("visible", "labelled2d", "labelled3d"):
            assert torch.equal(getattr(found, name), getattr(expected, name)), name
        for name in ("subject", "action", "sequence"):
            assert getattr(found, name) == getattr(expected, name)
        assert (found.image is None) == (expected.image is None)
        if found.image is not None and expected.image is not None:
            assert (found.image.int() - expected.image.int()).abs().max() <= 1

    return check


@pytest.fixture(scope="session")
def batch_of() -> Callable[..., Batch]:
    """Single pictures of (B, J, 2) px and (B, J, 3) mm, 5 m away; what is not given is made up."""

    def make(
        joints2d: torch.Tensor | None = None,
        joints3d: torch.Tensor | None = None,
        camera: Camera | None = None,
        image: torch.Tensor | None = None,
        **labelled: torch.Tensor,
    ) -> Batch:
        given = joints2d if joints2d is not None else joints3d
        count, joints = given.shape[:2]
        if camera is None:
            one = Camera.make(focal_px=(300, 300), centre_px=(127.5, 127.5))
            camera = Camera(one.parameters.expand(count, -1))
        if joints3d is None:
            joints3d = torch.zeros(count, joints, 3)
        absolute = joints3d + torch.tensor([0.0, 0.0, 5000.0])
        if joints2d is None:
            joints2d = camera.project(absolute)
        return make_batch(
            joints_mm=absolute[:, None],
            joints2d=joints2d[:, None],
            visible=torch.ones(count, 1, joints, dtype=torch.bool),
            camera=camera,
            subject=np.array(["P"] * count),
            action=np.array(["stand"] * count),
            image=image,
            **{name: value[:, None] for name, value in labelled.items()},
        )

    return make
