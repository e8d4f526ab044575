"""`posezoo env`: what posezoo runs on here, for a bug report or a wrong suspicion."""

from __future__ import annotations

import importlib
import json
import os
import platform
from importlib import metadata

import click

import posezoo
from posezoo.cli.tables import print_table
from posezoo.cores import cores, waiting

_EPILOG = """\b
Examples:
  posezoo env
  posezoo env --json
"""
_PACKAGES = ("numpy", "h5py", "safetensors", "triton")


@click.command(epilog=_EPILOG)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def env(as_json: bool) -> None:
    """Show versions, hardware, and the path that the heatmap kernels take."""
    import torch

    from posezoo.training.run_folder import processor_name

    found = {
        "posezoo": posezoo.__version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "torch": torch.__version__,
        **{name: _version(name) or "absent" for name in _PACKAGES},
        "torchvision": _torchvision(),
        "cpu": processor_name(),
        "threads": f"{torch.get_num_threads()} (torch) of {cores()} cores",
        "waiting": waiting(),
        "devices": ", ".join(_devices()),
        "kernels": _kernels(),
    }
    if as_json:
        click.echo(json.dumps(found, indent=1))
    else:
        print_table([*found.items()])


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _torchvision() -> str:
    """Its version, or why it cannot be used: a build for another torch fails when imported."""
    version = _version("torchvision")
    if version is None:
        return "absent (not needed)"
    try:
        importlib.import_module("torchvision")
    except (ImportError, RuntimeError, OSError, AttributeError) as error:
        import torch

        return (
            f"{version} cannot be imported ({error}); install the build that belongs to torch "
            f"{torch.__version__}, from the same index. posezoo does not need it"
        )
    return version


def _devices() -> list[str]:
    import torch

    if torch.cuda.is_available():
        found = map(torch.cuda.get_device_properties, range(torch.cuda.device_count()))
        return [f"cuda: {gpu.name}, {gpu.total_memory / 2**30:.0f} GiB" for gpu in found]
    built = torch.version.cuda or torch.version.hip
    why = f"built for CUDA {built}, but finds no GPU or driver" if built else "a CPU build"
    return [f"cpu only (this torch is {why})"]


def _kernels() -> str:
    from posezoo import ops

    setting = os.environ.get("POSEZOO_BACKEND", "auto")
    try:
        return f"{ops.backend_in_use()} (POSEZOO_BACKEND={setting})"
    except ValueError as error:
        return f"none: {error}"
