"""The codec server, put together from the settings."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from longshift.codec_server.app import build_app
from longshift.codec_server.origins import namespace, ui_origins
from longshift.contracts.errors import BadInput
from longshift.intake.http.address import ApiAddress
from longshift.intake.http.server import serve
from longshift.intake.http.token_file import Tokens
from longshift.settings import Settings


def require_codec_settings(settings: Settings) -> None:
    """Refuse what the server cannot run with.

    Raises:
        BadInput: its address or the keys are missing, or no Web UI is known.
    """
    if settings.codec_address is None:
        raise BadInput("codec_address: is not set; set LONGSHIFT_CODEC_ADDRESS, for instance to 127.0.0.1:7284")
    if not settings.key_ring.ids:
        raise BadInput(
            "payload_keys: there are none, so there is nothing to decrypt; "
            "make one with `longshift payload-key new ID` and set LONGSHIFT_PAYLOAD_KEYS"
        )
    ui_origins(settings)


@asynccontextmanager
async def codec_server(settings: Settings) -> AsyncGenerator[ApiAddress]:
    """Serve while the block runs.

    Raises:
        BadInput: a setting is missing or wrong.
    """
    require_codec_settings(settings)
    app = build_app(
        settings.key_ring,
        Tokens(settings.data_dir),
        origins=ui_origins(settings),
        namespace=namespace(settings),
    )
    async with serve(app, settings.codec_address, setting="codec_address") as address:
        yield address
