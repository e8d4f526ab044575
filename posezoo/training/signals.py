"""Ctrl-C and SIGTERM: honoured between two steps of a loop, and at once everywhere else.

At once but for an import, which is ended first: torch's C++ aborts if an exception goes through it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_LATER_S, _WATCH_S = 0.05, 0.5
_SHELL = 128  # and the signal is the exit code that a shell expects
_PATIENCE_S = 2.0  # one stop may come as two signals: `timeout` sends to the process and its group


class StopRequest:
    """While entered, the first signal is noted in `signum`, for a loop to look at.

    Another one, 2 s later or more, ends the work at once, but for a save in progress.

    Args:
        restores: who handled signals before does so afterwards; else none is heard of once `over`.
    """

    def __init__(self, *, restores: bool = True) -> None:
        self._restores = restores
        self.signum, self._since = 0, 0.0
        self._said: str | None = None  # where a signal ends the work at once: what is said then
        self._saving = self._waits = False
        self._before: dict[int, Any] = {}
        self._hook = sys.unraisablehook

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():  # no other hears of signals
            self._before = {s: signal.signal(s, self._note) for s in _SIGNALS}
            self._hook, sys.unraisablehook = sys.unraisablehook, self._lost
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._restores:
            for signum, handler in self._before.items():
                signal.signal(signum, handler)
        if self._before:
            sys.unraisablehook = self._hook
        if self._waits:
            signal.setitimer(signal.ITIMER_REAL, 0)
            if error is None:
                raise Stopped(self.signum, self._said or "")

    def at_once(self, said: str) -> None:
        """From here on the first signal ends the work, with `said` for its user."""
        self._said = said
        if self.signum:
            raise Stopped(self.signum, said)

    def noted(self) -> None:
        """From here on the first signal is only noted."""
        self._said = None

    def over(self) -> None:
        """All is said: from here on a signal ends the process, without a word."""
        for signum in self._before:
            signal.signal(signum, lambda signum, _: os._exit(_SHELL + signum))

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
                self._end(0, frame)
        elif not self._saving and now - self._since >= _PATIENCE_S:
            twice = "at once, as asked twice; --resume goes on from last/"
            raise Stopped(self.signum, twice if self._said is None else self._said)

    def _end(self, _: int, frame: FrameType | None) -> None:
        current = signal.getsignal(self.signum)
        if hasattr(signal, "setitimer") and _imports(frame):
            self._end_later()
            return
        self._waits = False
        if current != self._note and callable(current):  # one within has begun meanwhile
            current(self.signum, frame)
        elif self._said is not None:  # else a loop has begun meanwhile, and looks at it
            raise Stopped(self.signum, self._said)

    def _end_later(self) -> None:
        self._waits = True
        signal.signal(signal.SIGALRM, self._end)
        signal.setitimer(signal.ITIMER_REAL, _LATER_S)

    def _lost(self, what: Any) -> None:
        """Python drops what is raised while it clears up an object: so it is raised once more."""
        if isinstance(what.exc_value, Stopped) and hasattr(signal, "setitimer"):
            self._end_later()
        else:
            self._hook(what)


def _imports(frame: FrameType | None) -> bool:
    """Whether what was interrupted is an import, or was called by one."""
    while frame is not None and frame.f_code.co_filename != "<frozen importlib._bootstrap>":
        frame = frame.f_back
    return frame is not None


def end_with_parent() -> None:
    """From here on this process asks itself to stop, by SIGTERM, once its parent is gone.

    A parent that was killed hands no signal on, and what it started would go on unseen.
    """
    import multiprocessing  # noqa: PLC0415 - 20 ms that `posezoo list` has no use for

    started_by, parent = multiprocessing.parent_process(), os.getppid()

    def watch() -> None:
        if started_by is not None:  # by Python: between the two a server may stand
            started_by.join()
        else:
            while os.getppid() == parent:
                time.sleep(_WATCH_S)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def stopping_to_go_on_by(again: str) -> Iterator[None]:
    """Say so to whoever stops a run within, which is a part of the work."""
    try:
        yield
    except Stopped as stopped:
        raise Stopped(int(stopped.code or 0) - _SHELL, f"go on with {again}") from None


class Stopped(SystemExit):
    """A run that was asked to stop, after it has saved its state; exits as the shell expects."""

    def __init__(self, signum: int, said: str = "") -> None:
        super().__init__(_SHELL + signum)
        self.said = f"stopped by {signal.Signals(signum).name}" + (f": {said}" if said else "")
