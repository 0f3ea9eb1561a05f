"""Bearer tokens: who may do what. Where they are kept is `token_file`'s; what a request shows is `authority`'s.

A token is `ls_<id>_<secret>`. Of the secret only a salted hash is kept. It has 256 random bits, so nobody can guess at
it, and one round of SHA-256 is enough: slow hashes are for what people think up.
"""

import hashlib
import hmac
import re
import secrets
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from longshift.contracts.errors import BadInput

PREFIX = "ls"
ID_BYTES = 8
SECRET_BYTES = 32
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,49}$"
TENANT = r"^[A-Za-z0-9][A-Za-z0-9._@/-]{0,63}$"
"""Of a token; it stands in queries to the engine."""
REPOSITORY = r"^\S{1,500}$"
_FORM = re.compile(rf"{PREFIX}_([0-9a-f]{{{2 * ID_BYTES}}})_([A-Za-z0-9_-]{{20,100}})")
_NOBODY = "0" * 64


class Scope(StrEnum):
    """What a token may be used for."""

    SUBMIT = "submit"
    """Hand in tasks."""
    READ = "read"
    """See sessions, their transcripts and artifacts, and the queue."""
    STEER = "steer"
    """Steer, answer, pause, resume, roll back, extend."""
    CANCEL = "cancel"
    DECODE = "decode"
    """Have the codec server decrypt what the engine keeps, of all sessions."""


class Token(BaseModel):
    """A token as it is kept: everything but its secret."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=NAME)
    id: str
    salt: str
    hash: str
    scopes: tuple[Scope, ...] = Field(min_length=1)
    tenant: str | None = Field(default=None, pattern=TENANT)
    """Every task handed in belongs to it, and no other tenant's sessions can be seen."""
    repositories: tuple[Annotated[str, StringConstraints(pattern=REPOSITORY)], ...] = ()
    """Globs; empty: all. Other repositories can neither be worked on nor their sessions be seen."""
    highest_priority: int = Field(default=1, ge=1, le=5)
    """1 goes first; a task may not ask for a smaller number than this."""
    created_at: AwareDatetime
    expires_at: AwareDatetime | None = None

    @property
    def source(self) -> str:
        """Where tasks with this token come from; idempotency keys of different sources never meet."""
        return f"api:{self.name}"

    @property
    def is_limited(self) -> bool:
        """Whether it sees only some of the sessions."""
        return self.tenant is not None or bool(self.repositories)

    def is_expired(self, now: datetime) -> bool:
        """Whether its time is over."""
        return self.expires_at is not None and now >= self.expires_at


def new_secret() -> tuple[str, str, str, str]:
    """Id, salt, hash, and the token itself, which is shown once."""
    token_id, salt, secret = secrets.token_hex(ID_BYTES), secrets.token_hex(16), secrets.token_urlsafe(SECRET_BYTES)
    return token_id, salt, hash_of(salt, secret), f"{PREFIX}_{token_id}_{secret}"


def hash_of(salt: str, secret: str) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(f"{salt}\0{secret}".encode()).hexdigest()


def matching(text: str, tokens: dict[str, Token], now: datetime) -> Token | None:
    """The token that `text` is, by its id; None for one that is unknown, wrong or expired, in the same time."""
    form = _FORM.fullmatch(text)
    token_id, secret = (form[1], form[2]) if form else ("", "")
    token = tokens.get(token_id)
    known_salt, known_hash = (token.salt, token.hash) if token else ("", _NOBODY)
    is_right = hmac.compare_digest(hash_of(known_salt, secret), known_hash)
    return token if token is not None and is_right and not token.is_expired(now) else None


def checked_name(name: str) -> str:
    """A name that a token can have.

    Raises:
        BadInput: it cannot.
    """
    if re.fullmatch(NAME, name) is None:
        raise BadInput(f"NAME: {name!r} is no name of a token; use letters, digits, '.', '_' and '-', at most 50")
    return name
