"""What a person gives a command in words, and who that person is."""

import getpass
import socket
import sys
from pathlib import Path

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


def file_words(path: Path, name: str) -> str:
    """What a file says.

    Raises:
        BadInput: it cannot be read, is empty, too long or no text.
    """
    try:
        with path.open("rb") as file:
            text = file.read(4 * STEER_MAX_CHARACTERS + 1).decode()
    except UnicodeDecodeError:
        raise BadInput(f"{name}: {path} is not UTF-8 text, or too long; give less, in that encoding") from None
    except OSError as error:
        raise BadInput(f"{name}: {path} cannot be read ({error.strerror}); name another file") from None
    return given_words(text if text != "-" else "- ", name)


def this_person() -> str:
    """Who is kept with a change or a decision, for others to ask."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):  # a user without an entry, as in a container
        name = "somebody"
    return f"{name}@{socket.gethostname()}"
