"""The port through which people are told outside: one adapter for each face."""

from typing import Protocol

from longshift.contracts.cards import PostInput, PostResult


class Poster(Protocol):
    """Posts and edits messages of one face."""

    async def post(self, request: PostInput, *, since: float) -> PostResult:
        """Post or edit one message. An earlier attempt after `since` (seconds since 1970, 0: none) may have done it.

        Raises:
            PeopleUnavailable: whether the message stands there is unknown, or it surely does not, for now.
            PeopleRefused: it does not, and will not until somebody mends what the text says.
        """
        ...
