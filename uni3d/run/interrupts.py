"""Ctrl-C and SIGTERM, which end long work after its running step."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["interrupts"]


@contextmanager
def interrupts() -> Iterator[list[int]]:
    """Ctrl-C or SIGTERM lets the running step end: it is put in the list. A second breaks off."""
    pressed: list[int] = []

    def remember(number: int, _frame: Any) -> None:
        if pressed:
            raise KeyboardInterrupt
        pressed.append(number)

    before = {n: signal.signal(n, remember) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield pressed
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
