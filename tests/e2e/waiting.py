"""Waiting for events. Every wait has a deadline; none is a pause of a fixed length."""

import os
import time

# A sanitizer makes everything slower; deadlines are there for failures only, so they may be generous.
SANITIZER = os.environ.get("MOTE_SANITIZER")
SLOW = 4 if SANITIZER else 1
POLL_S = 0.005


def wait_until(condition, seconds=15, what=None):
    """Return the first true value of `condition()`; fail when there is none in time."""
    end = time.monotonic() + seconds * SLOW
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            told = what() if callable(what) else what
            raise AssertionError(f"not within {seconds * SLOW} s: {told or condition}")
        time.sleep(POLL_S)
