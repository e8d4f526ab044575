"""`posezoo env`."""

import importlib
import json
import os
import platform
import sys

import h5py
import pytest
import torch
from click.testing import CliRunner

from posezoo.cli import main
from posezoo.cores import cores


def env(**variables: str) -> dict[str, str]:
    result = CliRunner().invoke(main, ["env", "--json"], env=variables)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_versions_hardware_and_the_path_of_the_kernels_are_named() -> None:
    found = env()
    assert found["python"] == platform.python_version()
    assert found["torch"] == torch.__version__
    assert found["h5py"] == h5py.__version__
    assert found["threads"] == f"{torch.get_num_threads()} (torch) of {cores()} cores"
    assert found["waiting"] == "OMP_WAIT_POLICY=PASSIVE" or "OMP_WAIT_POLICY" not in os.environ
    assert found["kernels"].split()[0] in ("torch", "triton")
    assert found["posezoo"]
    assert "core" in found["cpu"]


def test_the_table_shows_the_same() -> None:
    lines = CliRunner().invoke(main, ["env"]).stdout.splitlines()
    assert [line.split()[0] for line in lines] == [*env()]


def test_a_machine_without_a_gpu_says_why() -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    assert env()["devices"].startswith("cpu only (this torch is ")


@pytest.fixture
def torchvision(tmp_path, monkeypatch: pytest.MonkeyPatch):
    """A torchvision that does what its code says when it is imported."""

    def install(code: str) -> None:
        (tmp_path / "torchvision").mkdir()
        (tmp_path / "torchvision/__init__.py").write_text(code)
        info = tmp_path / "torchvision-9.9.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: torchvision\nVersion: 9.9\n")
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "torchvision", raising=False)
        importlib.invalidate_caches()

    yield install
    sys.modules.pop("torchvision", None)


def test_a_torchvision_built_for_another_torch_is_diagnosed(torchvision) -> None:
    torchvision("raise RuntimeError('operator torchvision::nms does not exist')")
    text = env()["torchvision"]
    assert text.startswith("9.9 cannot be imported (operator torchvision::nms does not exist)")
    assert torch.__version__ in text


def test_a_torchvision_that_works_is_a_version(torchvision) -> None:
    torchvision("")
    assert env()["torchvision"] == "9.9"


def test_a_kernel_path_that_cannot_run_is_reported_not_fatal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse() -> str:
        raise ValueError("triton cannot run here")

    monkeypatch.setattr("posezoo.ops.backend_in_use", refuse)
    assert env()["kernels"] == "none: triton cannot run here"
