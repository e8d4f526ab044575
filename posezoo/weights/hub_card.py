"""The page of a repository on huggingface.co: what the weights are, whose, and how to use them."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from posezoo.hints import in_markdown

# Names that the hub knows for licences.
_LICENCES = {
    "Apache-2.0": "apache-2.0",
    "MIT": "mit",
    "BSD-3-Clause": "bsd-3-clause",
    "CC BY-NC 4.0": "cc-by-nc-4.0",
}
# What a reader wants to know, in this order; each only where it is known.
_ROWS = {
    "spec": "pipeline",
    "joint_set": "joint set",
    "source": "from",
    "paper": "paper",
    "input": "the original's input",
    "output": "the original's output",
    "scale": "scale",
    "licence": "licence",
    "terms": "terms of the weights",
    "file": "original file",
    "file_sha256": "its sha256",
    "imported": "imported",
    "posezoo": "posezoo",
}


def model_card(
    repository: str, about: Mapping[str, str], *, sha256: str, tensors: Mapping[str, Tensor]
) -> str:
    """README.md of `repository`, with the header that the hub reads."""
    licence = about.get("licence", "")
    known = _LICENCES.get(licence, "other")
    header = ["---", f"license: {known}"]
    if known == "other":
        header.append(f"license_name: {_plain(licence) or 'unknown'}")
    header += ["library_name: posezoo", "pipeline_tag: keypoint-detection", "tags:"]
    header += ["- human-pose-estimation", "- 3d-human-pose-estimation", "---"]
    rows = [
        f"| {label} | {in_markdown(about[key])} |" for key, label in _ROWS.items() if about.get(key)
    ]
    numbers = sum(tensor.numel() for tensor in tensors.values())
    rows.append(f"| numbers | {numbers:,} in {len(tensors)} tensors |")
    rows.append(f"| sha256 of model.safetensors | {sha256} |")
    return "\n".join(
        [
            *header,
            f"# {repository.split('/')[1]}",
            "",
            in_markdown(about.get("summary", "Weights for posezoo.")),
            "",
            "```python",
            "import posezoo",
            f'pipeline = posezoo.load("hub:{repository}")',
            "```",
            "",
            "| | |",
            "|---|---|",
            *rows,
            "",
            "3D is in mm, camera frame (x right, y down, z forward), relative to the root.",
            "2D is in px; the centre of the top-left pixel is (0, 0).",
            "",
        ]
    )


def _plain(licence: str) -> str:
    """A licence's name as the header of a card takes it."""
    return "-".join("".join(c if c.isalnum() or c == "." else " " for c in licence).lower().split())
