"""Periods at the end of a sequence, in linear time. What the elements are is nobody's business here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Cycle:
    """The last elements, again and again."""

    length: int
    times: int


def overlaps(sequence: Sequence[str]) -> list[int]:
    """For each shift, how many of the last elements equal those `shift` earlier; the Z function from the end."""
    tail = sequence[::-1]
    size = len(tail)
    found = [size] * min(size, 1) + [0] * (size - 1)
    left = right = 0
    for shift in range(1, size):
        common = min(right - shift, found[shift - left]) if shift < right else 0
        while shift + common < size and tail[common] == tail[shift + common]:
            common += 1
        found[shift] = common
        if shift + common > right:
            left, right = shift, shift + common
    return found


def at_end(sequence: Sequence[str], needed: Callable[[Cycle], int]) -> Cycle | None:
    """The shortest cycle that the sequence ends with and that comes as often as needed, which may depend on it."""
    common = overlaps(sequence)
    for length in range(1, len(sequence) // 2 + 1):
        cycle = Cycle(length, common[length] // length + 1)
        if cycle.times >= 2 and cycle.times >= needed(cycle) and not _is_shorter(common, length):
            return cycle
    return None


def _is_shorter(common: Sequence[int], length: int) -> bool:
    """Whether the last `length` elements are themselves a cycle."""
    return any(length % part == 0 and common[part] >= length - part for part in range(1, length // 2 + 1))
