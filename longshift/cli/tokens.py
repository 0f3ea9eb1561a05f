"""`token add`, `token list`, `token revoke`: who may use the HTTP API of this data directory. Needs no engine."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.table import Table
from rich.text import Text

from longshift.cli.command import command
from longshift.cli.exit_codes import ExitCode
from longshift.cli.invocation import Invocation
from longshift.contracts.errors import BadInput
from longshift.intake.http.token_file import TokenFile
from longshift.intake.http.tokens import Scope, Token, checked_name, new_secret

_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}

Name = Annotated[str, typer.Argument(metavar="NAME", help="Who it is for; part of the keys of its tasks.")]
Scopes = Annotated[list[Scope], typer.Option("--scope", help="What it may be used for; may be given several times.")]
Tenant = Annotated[
    str | None, typer.Option("--tenant", help="Its tasks belong to this tenant, and it sees no other's sessions.")
]
Repositories = Annotated[
    list[str] | None,
    typer.Option("--repository", metavar="GLOB", help="Only these repositories, such as 'https://github.com/acme/*'."),
]
Priority = Annotated[
    int, typer.Option("--highest-priority", min=1, max=5, help="No task of it goes before this place; 1 goes first.")
]
Expires = Annotated[
    str | None, typer.Option("--expires", metavar="WHEN", help="In 12h, 30d or 8w, or at a time such as 2027-01-31.")
]


def register(app: typer.Typer) -> None:
    """Put the commands onto the command line."""
    group = typer.Typer(no_args_is_help=True, help="Tokens for the HTTP API: add, list, revoke.")
    app.add_typer(group, name="token")

    @command(group, "add")
    def add(
        run: Invocation,
        name: Name,
        scope: Scopes,
        tenant: Tenant = None,
        repository: Repositories = None,
        highest_priority: Priority = 1,
        expires: Expires = None,
    ) -> int:
        """Make a token. It is shown once; only a hash of it is kept."""
        if Scope.DECODE in scope and (tenant or repository):
            raise BadInput("--scope: decode is for all sessions alike; leave --tenant and --repository out")
        now = datetime.now(UTC)
        token_id, salt, hashed, shown = new_secret()
        token = _token(
            name=checked_name(name),
            id=token_id,
            salt=salt,
            hash=hashed,
            scopes=tuple(dict.fromkeys(scope)),
            tenant=tenant,
            repositories=tuple(repository or ()),
            highest_priority=highest_priority,
            created_at=now,
            expires_at=_moment(expires, now) if expires else None,
        )
        TokenFile(run.settings.data_dir).add(token)
        run.out.document({**_facts(token), "token": shown}, Text(shown))
        if not run.out.json:
            run.out.remark("it is not shown again; send it as `Authorization: Bearer …`")
        if not run.out.json and Scope.DECODE in scope:
            where = run.settings.codec_address or "HOST:PORT"
            run.out.remark(f"in the Web UI, as the codec server's endpoint: http://{where}/{shown}")
        return ExitCode.OK

    @command(group, "list")
    def list_tokens(run: Invocation) -> int:
        """List the tokens, without their secrets."""
        tokens = TokenFile(run.settings.data_dir).read()
        shown = _table(tokens) if tokens else Text("no tokens", style="dim")
        run.out.document({"tokens": [_facts(token) for token in tokens]}, shown)
        return ExitCode.OK

    @command(group, "revoke")
    def revoke(run: Invocation, name: Name) -> int:
        """Remove a token; the next request with it is refused."""
        token = TokenFile(run.settings.data_dir).revoke(checked_name(name))
        run.out.document({"revoked": token.name}, Text(f"{token.name}: revoked"))
        return ExitCode.OK


def _token(**given: Any) -> Token:
    try:
        return Token(**given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        option = "--repository" if first["loc"][0] == "repositories" else f"--{str(first['loc'][0]).replace('_', '-')}"
        raise BadInput(f"{option}: {first['input']!r} cannot be used; {first['msg'].lower()}") from None


def _moment(text: str, now: datetime) -> datetime:
    """When a token expires.

    Raises:
        BadInput: it is no time, or over.
    """
    span = re.fullmatch(r"(\d{1,5})([hdw])", text)
    try:
        found = now + int(span[1]) * _UNITS[span[2]] if span else datetime.fromisoformat(text)
    except ValueError:
        raise BadInput(
            f"--expires: {text!r} is no time; give 12h, 30d or 8w, or a time such as 2027-01-31T18:00:00+01:00"
        ) from None
    found = found if found.tzinfo else found.astimezone()
    if found <= now:
        raise BadInput(f"--expires: {text} is over; give a time to come")
    return found.astimezone(UTC)


def _facts(token: Token) -> dict[str, Any]:
    return {
        **token.model_dump(mode="json", exclude={"salt", "hash"}),
        "is_expired": token.is_expired(datetime.now(UTC)),
    }


def _table(tokens: tuple[Token, ...]) -> Table:
    shown = Table(box=None, pad_edge=False, header_style="dim", show_edge=False)
    for name in ("name", "scopes", "limits", "added", "expires"):
        shown.add_column(name, overflow="fold")
    for token in tokens:
        limits = [f"tenant {token.tenant}"] if token.tenant else []
        limits += token.repositories
        limits += [f"priority {token.highest_priority} at most"] if token.highest_priority > 1 else []
        over = " (over)" if token.is_expired(datetime.now(UTC)) else ""
        expires = f"{token.expires_at.astimezone():%Y-%m-%d %H:%M}{over}" if token.expires_at else "never"
        scopes = ", ".join(token.scopes)
        added = f"{token.created_at.astimezone():%Y-%m-%d}"
        shown.add_row(*map(Text, (token.name, scopes, ", ".join(limits) or "none", added, expires)))
    return shown
