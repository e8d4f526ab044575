"""Writes a third-party package with one entry, from the templates in this folder.

A template is a working file whose names are replaced: `acme` is the plugin, `my_entry` the key,
`MyEntry` the class. KIND.py and KIND.toml are the kind's own; package/ is the same for all.
"""

from __future__ import annotations

import keyword
import re
from pathlib import Path

from posezoo.registry.spec import KEY_RULE, is_name
from posezoo.whole_files import folder_beside, write_atomically

_PLACEHOLDERS = re.compile("acme|my_entry|my-entry|MyEntry")
# How an entry of each kind is put to use.
_COMMANDS = {
    "backbone": "train acme/my_entry-hm+martinez",
    "head": "train resnet50-acme/my_entry+martinez",
    "lifter": "train resnet50-hm+acme/my_entry",
    "detector": "predict photo.jpg --detector acme/my_entry --out predicted",
    "strategy": "train resnet50-hm+martinez --strategy acme/my_entry",
    "dataset": "train resnet50-hm+martinez --data acme/my_entry",
}


def write_package(kind: str, name: str, *, plugin: str, folder: Path) -> list[Path]:
    """Write the package `plugin_name` with the entry `plugin/name` into a new folder.

    Returns the files.

    Raises:
        ValueError: a name that cannot be a key or a module, or a folder that exists.
    """
    for text in (name, plugin):
        if not is_name(text) or keyword.iskeyword(text):
            raise ValueError(
                f"name {text!r}: expected {KEY_RULE}, and no word of Python's own; as in graph_lift"
            )
    if folder.exists():
        raise ValueError(f"{folder} exists; name another folder with --out")
    home, package = Path(__file__).parent, f"{plugin}_{name}"
    files = {
        "pyproject.toml": home / "package" / "pyproject.toml",
        "README.md": home / "package" / "README.md",
        f"tests/test_{name}.py": home / "package" / "test_my_entry.py",
        f"{package}/registry.toml": home / f"{kind}.toml",
        f"{package}/{name}.py": home / f"{kind}.py",
        f"{package}/__init__.py": home / "package" / "init.py",
    }
    with folder_beside(folder) as beside:
        for file, template in files.items():
            text = template.read_text(encoding="utf-8").replace("my_command", _COMMANDS[kind])
            (beside / file).parent.mkdir(exist_ok=True)
            write_atomically(beside / file, _named(text, name, plugin).encode())
    return [folder / file for file in files]


def example_command(kind: str, name: str, *, plugin: str) -> str:
    """What to type behind `posezoo` to use the entry `plugin/name`."""
    return _named(_COMMANDS[kind], name, plugin)


def _named(text: str, name: str, plugin: str) -> str:
    """The template's names replaced. In one pass: the new names may hold the old ones."""
    names = {
        "acme": plugin,
        "my_entry": name,
        "my-entry": name.replace("_", "-"),
        "MyEntry": "".join(word.capitalize() for word in name.split("_")),
    }
    return _PLACEHOLDERS.sub(lambda found: names[found[0]], text)
