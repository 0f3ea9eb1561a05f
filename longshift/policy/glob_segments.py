"""Patterns of one name of a path (`*`, `?`, `[a-z]`, `\\x`), and the names that two of them have in common."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

STAR: Final = None
"""Any number of characters."""
Range = tuple[str, str]
_Part = TypeVar("_Part")


@dataclass(frozen=True)
class Letters:
    """The characters that may stand at one place: those of the ranges, or all others; never a slash."""

    ranges: tuple[Range, ...]
    negated: bool = False

    def has(self, letter: str) -> bool:
        """Whether it may be `letter`."""
        return letter != "/" and self.negated != any(low <= letter <= high for low, high in self.ranges)


Place = Letters | None
_ANY = Letters((), negated=True)


@dataclass(frozen=True)
class Segment:
    """The pattern of a name."""

    places: tuple[Place, ...]
    literal: str | None
    """The name, where there is but one."""
    head: str
    """What all its names begin with."""
    tail: str
    """What all its names end with."""


def is_word(text: str) -> bool:
    """Whether `text` is a pattern that everybody reads alike: its brackets are closed, and hold ranges in order."""
    return _places(text) is not None


def parse_segment(text: str) -> Segment:
    """The pattern that `text` is; one that is not plain stands for every name."""
    return _segment(_places(text) or (STAR,))


def path_segment(name: str) -> Segment:
    """A name as it is."""
    return _segment(tuple(Letters(((letter, letter),)) for letter in name))


def shared_word(one: Segment, other: Segment) -> str | None:
    """A name that both stand for; None: there is none."""
    if one.literal is not None and other.literal is not None:
        return one.literal if one.literal == other.literal else None
    if not (one.head.startswith(other.head) or other.head.startswith(one.head)):
        return None
    if not (one.tail.endswith(other.tail) or other.tail.endswith(one.tail)):
        return None
    letters = meeting(one.places, other.places, _shared_letter)
    # An empty name is none; two patterns that have it in common are stars alone.
    return None if letters is None else "".join(letters) or "x"


def _places(text: str) -> tuple[Place, ...] | None:
    places: list[Place] = []
    at = 0
    while at < len(text):
        letter = text[at]
        at += 1
        if letter == "*":
            if places and places[-1] is STAR:
                return None
            places.append(STAR)
        elif letter == "?":
            places.append(_ANY)
        elif letter == "[":
            end = text.find("]", at + 1)
            letters = _letters(text[at:end]) if end > 0 else None
            if letters is None:
                return None
            places.append(letters)
            at = end + 1
        else:
            if letter == "\\":
                letter, at = text[at : at + 1], at + 1
            if not letter:
                return None
            places.append(Letters(((letter, letter),)))
    return tuple(places)


def _letters(text: str) -> Letters | None:
    """What stands between brackets; exceptions in them are not read alike by everybody, where slashes are concerned."""
    if text[:1] in ("!", "^") or any(letter in text for letter in "[]\\"):
        return None
    ranges: list[Range] = []
    while text:
        if len(text) > 2 and text[1] == "-":
            low, high, text = text[0], text[2], text[3:]
        else:
            low, high, text = text[0], text[0], text[1:]
        if low > high or low <= "/" <= high:
            return None
        ranges.append((low, high))
    return Letters(tuple(ranges))


def _segment(places: tuple[Place, ...]) -> Segment:
    head = _leading(places)
    is_literal = len(head) == len(places)
    return Segment(places, head if is_literal else None, head, _leading(places[::-1])[::-1])


def _leading(places: Sequence[Place]) -> str:
    letters: list[str] = []
    for place in places:
        if place is None or place.negated or len(place.ranges) != 1 or place.ranges[0][0] != place.ranges[0][1]:
            break
        letters.append(place.ranges[0][0])
    return "".join(letters)


def meeting(
    one: Sequence[_Part | None], other: Sequence[_Part | None], both: Callable[[_Part, _Part], str | None]
) -> list[str] | None:
    """A short sequence that two patterns have in common; None: there is none.

    In a pattern None stands for any number of parts. `both` gives what two parts have in common.
    """
    came: dict[tuple[int, int], tuple[tuple[int, int], str | None]] = {}
    seen, nearest = {(0, 0)}, deque([(0, 0)])
    while nearest:
        place = nearest.popleft()
        if place == (len(one), len(other)):
            return _way_to(place, came)
        for following, word in _steps(one, other, place, both):
            if following not in seen:
                seen.add(following)
                came[following] = (place, word)
                # What adds nothing comes first, so that the way found is short.
                nearest.appendleft(following) if word is None else nearest.append(following)
    return None


def _steps(
    one: Sequence[_Part | None],
    other: Sequence[_Part | None],
    place: tuple[int, int],
    both: Callable[[_Part, _Part], str | None],
) -> Iterator[tuple[tuple[int, int], str | None]]:
    """Where to from a place in both patterns, and the part that is taken on the way."""
    i, j = place
    mine, theirs = one[i] if i < len(one) else None, other[j] if j < len(other) else None
    if i < len(one) and mine is None:
        yield (i + 1, j), None
        if theirs is not None and (word := both(theirs, theirs)) is not None:
            yield (i, j + 1), word
    if j < len(other) and theirs is None:
        yield (i, j + 1), None
        if mine is not None and (word := both(mine, mine)) is not None:
            yield (i + 1, j), word
    if mine is not None and theirs is not None and (word := both(mine, theirs)) is not None:
        yield (i + 1, j + 1), word


def _way_to(place: tuple[int, int], came: Mapping[tuple[int, int], tuple[tuple[int, int], str | None]]) -> list[str]:
    words: list[str] = []
    while place in came:
        place, word = came[place]
        words += [] if word is None else [word]
    return words[::-1]


def _shared_letter(one: Letters, other: Letters) -> str | None:
    """A character that both allow: if there is any, then one at or beside an end of a range, or any other."""
    ends = [ord(end) for low, high in (*one.ranges, *other.ranges) for end in (low, high)]
    beside = [chr(near) for end in ends for near in (end, end - 1, end + 1) if _is_letter(near)]
    return next((letter for letter in (*beside, "x", ".", "0") if one.has(letter) and other.has(letter)), None)


def _is_letter(number: int) -> bool:
    """Whether this is a character of text: not half of one."""
    return 0 < number < 0xD800 or 0xE000 <= number < 0x110000
