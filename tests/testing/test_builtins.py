"""Every built-in entry keeps its contract. Generated from the registry: a new stanza is a new test.

What would take longer than a few seconds says `check` in its stanza: how to make it smaller.
"""

import numpy as np
import pytest

from posezoo import registry
from posezoo.data.store.pose_sequence import PoseSequence
from posezoo.data.store.store_writer import write_store
from posezoo.skeleton import H36M17
from posezoo.testing import run_checks
from posezoo.testing.body_model import write_body_model
from posezoo.testing.examples import people

# What stands on a library that may be absent is tested in tests/detectors/test_adapters.py.
BUILT_INS = [e for e in registry.entries() if e.origin == "posezoo" and not e.requires]


@pytest.fixture(scope="session")
def files(make_mocap, tmp_path_factory):
    """What a dataset needs, by its key."""
    folder = tmp_path_factory.mktemp("checked")
    people = [sequence_of("anna"), sequence_of("ben")]
    write_store(folder / "store.h5", people, skeleton=H36M17, val="ben")
    return {
        "smpl": f"model={write_body_model(folder / 'body.npz')}",
        "mocap": f"path={make_mocap(folder / 'studio_poses17.h5')}",
        "store": f"path={folder / 'store.h5'}",
    }


def sequence_of(subject):
    """Six frames of somebody."""
    clip = people(1, frames=6, seed=len(subject))
    return PoseSequence(
        joints2d_px=clip.joints2d[0].numpy(),
        joints3d_mm=clip.joints3d[0].numpy(),
        root_mm=clip.root_mm[0].numpy(),
        labelled2d=clip.labelled2d[0].numpy(),
        labelled3d=clip.labelled3d[0].numpy(),
        visible=clip.visible[0].numpy(),
        camera=clip.camera.parameters[0].double().numpy(),
        subject=subject,
        action="stand",
        sequence=f"{subject}_1",
        view="front",
        frame=np.arange(6),
    )


@pytest.mark.parametrize("entry", BUILT_INS, ids=lambda e: e.key)
def test_a_built_in_keeps_its_contract(entry, files):
    params = files.get(entry.key)
    outcomes = run_checks(f"{entry.key}:{params}" if params else entry.key)
    assert {o.check: o.note for o in outcomes if o.result == "failed"} == {}
