"""One of several processes of a test: `python rank.py FILE FOLDER < calls`, see `in_ranks`."""

import importlib.util
import io
import json
import os
import sys
from contextlib import redirect_stdout
from pathlib import Path

import click
import torch.distributed as dist

from posezoo.cli import main
from posezoo.ranks import FILE, joined


def cli(*words):
    """`posezoo WORDS`, as this rank: its exit code, what it printed, and why all ended."""
    with redirect_stdout(io.StringIO()) as printed:
        try:
            code = main([*words], prog_name="posezoo", standalone_mode=False)
        except click.ClickException as error:
            code = error.exit_code
            error.show(sys.stdout)
    store = dist.FileStore(os.environ[FILE])
    said = store.get("said").decode() if store.check(["said"]) else ""
    return [code or 0, printed.getvalue(), said]


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
