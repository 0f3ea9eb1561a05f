"""What a person gives a command in words, and who that person is."""

import getpass
import socket
import sys

from longshift.contracts.errors import BadInput
from longshift.contracts.session import STEER_MAX_CHARACTERS


def given_words(text: str, name: str = "TEXT") -> str:
    """What the session is told; `-` reads it from standard input.

    Raises:
        BadInput: it is empty, too long or no text.
    """
    if text == "-":
        try:
            text = sys.stdin.buffer.read(4 * STEER_MAX_CHARACTERS + 1).decode()
        except UnicodeDecodeError:
            raise BadInput(
                f"{name}: standard input is not UTF-8 text, or too long; give less, in that encoding"
            ) from None
    if not text.strip():
        raise BadInput(f"{name}: the message is empty; write what the agent should know")
    if len(text) > STEER_MAX_CHARACTERS:
        raise BadInput(
            f"{name}: has more than {STEER_MAX_CHARACTERS:,} characters; put the rest into a file and name it"
        )
    return text


def this_person() -> str:
    """Who is kept with a change or a decision, for others to ask."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):  # a user without an entry, as in a container
        name = "somebody"
    return f"{name}@{socket.gethostname()}"
