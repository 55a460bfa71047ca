# SPDX-License-Identifier: BSD-3-Clause
"""Two things measured side by side, in one run."""

from __future__ import annotations

from collections.abc import Callable


def in_turns(pairs: int, a: Callable[[], object], b: Callable[[], object]) -> tuple[list, list]:
    """Results of a and of b; who goes first changes, and one unmeasured run of each warms up."""
    results: tuple[list, list] = ([], [])
    a(), b()
    for number in range(pairs):
        for side, call in ((0, a), (1, b))[:: 1 if number % 2 else -1]:
            results[side].append(call())
    return results
