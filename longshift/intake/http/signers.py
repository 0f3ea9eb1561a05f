"""The secrets of signed webhooks, by source; a source with two secrets is rotating them."""

import re
from collections.abc import Iterable, Mapping

from pydantic import SecretStr
from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook

from longshift.contracts.errors import BadInput

SOURCE = r"[A-Za-z0-9][A-Za-z0-9._-]{0,49}"

Signers = Mapping[str, tuple[Webhook, ...]]
"""By source: all secrets that hold at the moment."""


def signers(secrets: Iterable[SecretStr]) -> Signers:
    """The settings' secrets, ready for use.

    Raises:
        BadInput: one has not the form `source=whsec_…`.
    """
    found: dict[str, tuple[Webhook, ...]] = {}
    for each in secrets:
        source, _, secret = each.get_secret_value().partition("=")
        try:
            if re.fullmatch(SOURCE, source) is None:
                raise ValueError(source)
            found[source] = (*found.get(source, ()), Webhook(secret))
        except (ValueError, EmptyWebhookSecretError):
            raise BadInput("webhook_secrets: an entry has not the form source=whsec_<base64>; mend it") from None
    return found
