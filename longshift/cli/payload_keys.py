"""`payload-key new`: makes a key for the encryption of what the engine keeps. Needs no engine and keeps nothing."""

from typing import Annotated

import typer
from rich.text import Text

from longshift.adapters.codec import new_key_text
from longshift.adapters.codec.payload_key import checked_id
from longshift.cli.command import command
from longshift.cli.exit_codes import ExitCode
from longshift.cli.invocation import Invocation

Id = Annotated[str, typer.Argument(metavar="ID", help="Its name in every payload, such as 2027-01; it is no secret.")]


def register(app: typer.Typer) -> None:
    """Put the commands onto the command line."""
    group = typer.Typer(no_args_is_help=True, help="Keys that encrypt what the engine keeps.")
    app.add_typer(group, name="payload-key")

    # Without it a group of one command would be that command.
    @group.callback()
    def _payload_key() -> None:  # pyright: ignore[reportUnusedFunction]
        """Keys that encrypt what the engine keeps."""

    @command(group, "new")
    def new(run: Invocation, key_id: Id) -> int:
        """Make a key. It is shown once and kept nowhere; without it, what it encrypts is lost."""
        entry = f"{checked_id(key_id)}:{new_key_text()}"
        run.out.document({"id": key_id, "entry": entry}, Text(entry))
        if not run.out.json:
            run.out.remark(
                "keep it safe, and give it to every process: LONGSHIFT_PAYLOAD_KEYS=NEW,OLD – the first encrypts, "
                "all decrypt (docs/encryption.md)"
            )
        return ExitCode.OK
