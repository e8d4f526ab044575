"""Ctrl-C and SIGTERM: honoured between two steps of a loop, and at once everywhere else."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_PATIENCE_S = 2.0  # one stop may come as two signals: `timeout` sends to the process and its group


class StopRequest:
    """While entered, the first signal is noted in `signum`, for a loop to look at.

    Another one, 2 s later or more, ends the work at once, but for a save in progress.
    """

    def __init__(self) -> None:
        self.signum, self._since = 0, 0.0
        self._said: str | None = None  # where a signal ends the work at once: what is said then
        self._saving = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._before = {s: signal.signal(s, self._note) for s in _SIGNALS}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for signum, handler in self._before.items():
            signal.signal(signum, handler)

    def at_once(self, said: str) -> None:
        """From here on the first signal ends the work, with `said` for its user."""
        self._said = said
        if self.signum:
            raise Stopped(self.signum, said)

    def noted(self) -> None:
        """From here on the first signal is only noted."""
        self._said = None

    @contextmanager
    def saving(self) -> Iterator[None]:
        """No signal ends what is done within."""
        self._saving = True
        try:
            yield
        finally:
            self._saving = False

    def _note(self, signum: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if not self.signum:
            self.signum, self._since = signum, now
            if self._said is not None:
                raise Stopped(signum, self._said)
        elif not self._saving and now - self._since >= _PATIENCE_S:
            raise Stopped(self.signum, "at once, as asked twice; --resume goes on from last/")


class Stopped(SystemExit):
    """A run that was asked to stop, after it has saved its state; exits as the shell expects."""

    def __init__(self, signum: int, said: str = "") -> None:
        super().__init__(128 + signum)
        self.said = f"stopped by {signal.Signals(signum).name}" + (f": {said}" if said else "")
