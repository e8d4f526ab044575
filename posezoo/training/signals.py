"""Ctrl-C and SIGTERM as a request that a loop can honour between two steps."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Any, Self


class StopRequest:
    """While entered, the first signal is noted in `signum`; a second one ends the process."""

    _SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.signum = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._before = {s: signal.signal(s, self._note) for s in self._SIGNALS}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for signum, handler in self._before.items():
            signal.signal(signum, handler)

    def _note(self, signum: int, frame: FrameType | None) -> None:
        self.signum = signum
        for s in self._SIGNALS:
            signal.signal(s, signal.SIG_DFL)


class Stopped(SystemExit):
    """A run that was asked to stop, after it has saved its state; exits as the shell expects."""

    def __init__(self, signum: int) -> None:
        super().__init__(128 + signum)
