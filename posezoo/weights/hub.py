"""Weights on huggingface.co: `hub:ORG/NAME`, `hub:ORG/NAME@REVISION`, `hub:ORG/NAME/FILE`.

Through the package huggingface_hub (the extra `hub`), which keeps what it fetched. A repository
that `push` made holds model.safetensors with our metadata, README.md and posezoo.json, which says
the file's sha256; any other repository is imported as a file of its project would be.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from safetensors.torch import save_file
from torch import Tensor

from posezoo.typed_files import decode
from posezoo.weights.hub_card import model_card
from posezoo.weights.reading import sha256_of

SCHEMA = "posezoo.weights/1"
_PREFIX = "hub:"
_FILE, _ABOUT, _CONFIG = "model.safetensors", "posezoo.json", "config.json"
_SOURCE = re.compile(r"hub:(\w[\w.-]*/\w[\w.-]*)(?:/(\w[\w./-]*))?(?:@([\w./-]+))?")


def is_hub(name: str) -> bool:
    """Whether it names a repository of the hub."""
    return name.startswith(_PREFIX)


def pull(source: str) -> Path:
    """Have a repository's weights on this machine; returns the file.

    A config.json beside them is fetched too.

    Raises:
        ValueError: not a repository's name, no such repository or file, no network and not in the
            cache, a file that is not what its posezoo.json says; or huggingface_hub is missing.
    """
    repository, name, revision = _parse(source)
    library = _library()

    def fetch(file: str) -> Path:
        return Path(library.hf_hub_download(repository, file, revision=revision))

    file = _fetched(source, lambda: fetch(name or _FILE), library)
    beside = {}
    for other in () if name else (_ABOUT, _CONFIG):
        try:
            beside[other] = fetch(other)
        except (library.errors.EntryNotFoundError, OSError):
            continue  # a repository of another project, or one without a config
    if _ABOUT in beside:
        if sha256_of(file) != decode(beside[_ABOUT], _About).sha256:
            raise ValueError(f"{source}: {file} is damaged: its sha256 is not the repository's own")
    return file


def push(
    target: str,
    tensors: Mapping[str, Tensor],
    about: Mapping[str, str],
    *,
    private: bool,
) -> str:
    """Put weights and their card into a repository, made where it is not there; returns its page.

    Raises:
        ValueError: not a repository's name, the hub refuses, or huggingface_hub is missing.
    """
    repository, name, revision = _parse(target)
    if name or revision:
        raise ValueError(f"{target}: expected hub:ORG/NAME to push to")
    library = _library()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / _FILE
        # Two names of one tensor, and a slice of a larger one, are no file's business.
        copied = {n: t.detach().cpu().clone().contiguous() for n, t in tensors.items()}
        save_file(copied, file, {"schema": SCHEMA, **about})
        digest = sha256_of(file)
        described = {"schema": SCHEMA, "sha256": digest, **about}
        file.with_name(_ABOUT).write_text(json.dumps(described, indent=1), encoding="utf-8")
        card = model_card(repository, about, sha256=digest, tensors=tensors)
        file.with_name("README.md").write_text(card, encoding="utf-8")

        def send() -> None:
            api = library.HfApi()
            api.create_repo(repository, private=private, exist_ok=True)
            api.upload_folder(
                repo_id=repository, folder_path=folder, commit_message="Weights from posezoo"
            )

        _fetched(target, send, library)
    return f"https://huggingface.co/{repository}"


class _About(msgspec.Struct):
    """posezoo.json, as far as it is read."""

    sha256: str


def _parse(source: str) -> tuple[str, str | None, str | None]:
    match = _SOURCE.fullmatch(source)
    if match is None:
        raise ValueError(
            f"{source}: expected hub:ORG/NAME, hub:ORG/NAME@REVISION or hub:ORG/NAME/FILE"
        )
    repository, name, revision = match.groups()
    return repository, name, revision


def _fetched(source: str, ask: Callable[[], Any], library: Any) -> Any:
    """What the hub answers; its refusals in one line."""
    errors = library.errors
    try:
        return ask()
    except errors.LocalEntryNotFoundError as error:
        raise ValueError(
            f"{source}: huggingface.co cannot be reached and this is not in its cache here; run it "
            "once where there is a network, or import a file: posezoo weights import FILE"
        ) from error
    except (errors.GatedRepoError, errors.RepositoryNotFoundError) as error:
        raise ValueError(
            f"{source}: no such repository, or one that you may not see; accept its terms on its "
            "page and log in: hf auth login"
        ) from error
    except (errors.EntryNotFoundError, errors.RevisionNotFoundError) as error:
        raise ValueError(
            f"{source}: no such file or revision there; name the file: hub:ORG/NAME/FILE"
        ) from error
    except (OSError, ValueError) as error:
        raise ValueError(f"{source}: huggingface.co: {str(error).splitlines()[0]}") from error


def _library() -> Any:
    try:
        import huggingface_hub  # noqa: PLC0415 - an extra
        import huggingface_hub.errors  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ValueError(
            "hub: names need the package huggingface_hub: pip install 'posezoo[hub]'"
        ) from error
    return huggingface_hub
