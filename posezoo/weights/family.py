"""What an importer says of one family of published files, and what it is given.

A family is one network of one project: files/<name>.py of posezoo/weights/families/. It tells its
files by their names and shapes, says which of our pipelines has that network, renames the tensors,
and knows how the original was called, so that `posezoo weights verify` can compare.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from posezoo.pipeline import Pipeline

# Of the unwrapped state dict: names without wrappers' prefixes, and the tensors' shapes.
Shapes = Mapping[str, tuple[int, ...]]
# The constructor's arguments, where the user gave them; else empty. What lies below "constructor",
# "config" or "cfg" is also at the top: config.get("num_heads"), config["backbone_config"].
Config = Mapping[str, Any]


class State(dict[str, Tensor]):
    """The unwrapped tensors of a file; `convert` takes out all that it knows.

    What is left in it afterwards is refused as unexpected.
    """

    def take(self, name: str) -> Tensor:
        """The tensor of that name, which is then gone from here.

        Raises:
            ValueError: the file has no such tensor.
        """
        if name not in self:
            raise ValueError(f"'{name}' is missing")
        return self.pop(name)

    def rename(self, rules: Sequence[tuple[str, str]]) -> dict[str, Tensor]:
        r"""Take every tensor whose whole name matches a rule, under its new name.

        A rule is a regular expression and what replaces it: (r"blocks\.(\d+)\.norm\.(.*)",
        r"lifter.blocks.\1.norm.\2"). The first that fits counts.
        """
        found = {}
        for name in list(self):
            for pattern, replacement in rules:
                if match := re.fullmatch(pattern, name):
                    found[match.expand(replacement)] = self.pop(name)
                    break
        return found


@dataclass(frozen=True, kw_only=True)
class Family:
    """One network of one project. The texts are printed, and kept in the imported file."""

    name: str  # lower case: what `verify` prints as the family
    project: str  # where its code is, "owner/repository"
    paper: str  # "arXiv:1705.03098"
    licence: str  # of the project's code
    terms: str  # of its weights, one sentence: who may use them, and what else binds
    input: str  # the original's convention, one sentence: joints, scale, colours
    output: str  # the same of its output: joints, unit, frame, root
    scale: str  # how our entry's mm, or px, come out of it, and how sure that is
    recognise: Callable[[Shapes, Config], bool]  # whether these are its files
    spec: Callable[[Shapes, Config], str]  # our pipeline, "mixste:depth=8,frames=243,width=512"
    joint_set: Callable[[Shapes, Config], str]  # of that pipeline, a name of skeletons.toml
    # Original tensors to the names of the built pipeline: "lifter.out.weight". Takes them out of
    # the state (`take`, `rename`); a tensor left there is refused, so is one that is not given.
    convert: Callable[[State, Config], dict[str, Tensor]]
    # The bare network, called as the original was. The inputs are the arrays of the case:
    # "input", and by name whatever else it holds. Returns what the original returned.
    run: Callable[[Pipeline, Mapping[str, Tensor], Config], Tensor]
    # What the weights do not show, and is built as published where no config is given: "8 heads".
    assumed: tuple[str, ...] = ()
    # Its numbers are z-scores whose statistics are not in the files.
    lacks_statistics: bool = False
    # Name patterns (fnmatch). `unused`: in the files, but without effect, so dropped unread.
    unused: tuple[str, ...] = ()
    # `kept`: of our pipeline, but not in the files; stays as it is built.
    kept: tuple[str, ...] = ()
