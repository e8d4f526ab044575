"""Contenders in processes of their own that work in turns, so that all have the same neighbours.

A contender is `python -m MODULE --contender WORDS`: it gets ready, says so in a line, and then for
each line of its standard input works once and answers with a line of JSON. The others sleep.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

READY = "ready"


def in_turns(
    contenders: dict[str, Sequence[str]],  # commands, by name
    *,
    rounds: int,
    environments: dict[str, dict[str, str]] | None = None,  # variables beside this process's own
) -> dict[str, list[Any]]:
    """What each contender answered in each round, after one round that does not count.

    Raises:
        ValueError: a contender ended.
    """
    started = {
        name: subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | (environments or {}).get(name, {}),
            cwd=Path(__file__).parents[1],
        )
        for name, command in contenders.items()
    }
    answers: dict[str, list[Any]] = {name: [] for name in contenders}
    try:
        for name, process in started.items():
            _heard(name, process)
        for number in range(rounds + 1):
            for name, process in started.items():
                assert process.stdin is not None
                process.stdin.write("go\n")
                process.stdin.flush()
                answer = json.loads(_heard(name, process))
                if number:
                    answers[name].append(answer)
    finally:
        for process in started.values():
            process.kill()
            process.wait()
    return answers


def contend(work: Callable[[], Any]) -> None:
    """Be a contender until the input ends."""
    print(READY, flush=True)
    for _ in sys.stdin:
        print(json.dumps(work()), flush=True)


def _heard(name: str, process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise ValueError(f"contender '{name}' ended with exit code {process.wait()}: see above")
    return line
