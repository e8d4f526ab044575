"""One of several processes of a test: `python rank.py FILE FOLDER < calls`, see `in_ranks`."""

import importlib.util
import json
import os
import sys
from pathlib import Path

from posezoo.cli import main
from posezoo.ranks import FILE, joined


def cli(*words):
    """`posezoo WORDS`, as this rank; its exit code."""
    return main([*words], prog_name="posezoo", standalone_mode=False)


def load(path):
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    module, folder = load(sys.argv[1]), Path(sys.argv[2])
    for number, (name, args) in enumerate(json.load(sys.stdin)):
        os.environ[FILE] = str(folder / f"meet{number}")
        if name == "cli":
            found = cli(*args)
        else:
            with joined():
                found = getattr(module, name)(*args)
        (folder / f"{number}.{os.environ['RANK']}").write_text(json.dumps(found))
