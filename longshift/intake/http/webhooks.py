"""`POST /webhooks/tasks/{source}`: tasks from programs that sign what they send (Standard Webhooks 1.0).

The signature covers id, time and body, and holds for five minutes. `webhook-id` is the idempotency key, so whoever
repeats a delivery, honestly or not, finds the session that exists.
"""

import re
from collections.abc import Mapping

from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from starlette.responses import Response

from longshift.contracts.errors import BadInput
from longshift.intake.acceptance import KEY_MAX_CHARACTERS, Delivery
from longshift.intake.http.bodies import KEY_PATTERN, read_body
from longshift.intake.http.endpoint import Call
from longshift.intake.http.problems import Problem, explain
from longshift.intake.http.submitting import TASK_BODY, submitted

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"


async def take_task(call: Call) -> Response:
    """A signed task."""
    source = call.path("source")
    body = await read_body(call, TASK_BODY)
    verify(call.services.signers.get(source, ()), call.request.headers, body)
    key = call.request.headers[ID]
    if len(key) > KEY_MAX_CHARACTERS or re.fullmatch(KEY_PATTERN, key) is None:
        raise Problem(400, "bad_key", f"{ID}: must be 1 to {KEY_MAX_CHARACTERS} printable ASCII characters", field=ID)
    delivery = Delivery(source=f"webhook:{source}", body=body, media_type=call.request.headers["content-type"], key=key)
    try:
        return submitted(await call.services.acceptance.accept(delivery))
    except BadInput as error:
        raise explain(error, source=delivery.source) from None


def verify(known: tuple[Webhook, ...], headers: Mapping[str, str], body: bytes) -> None:
    """Make sure that one of the secrets signed this, within the last five minutes.

    Raises:
        Problem: 401.
    """
    given = {name: headers.get(name, "") for name in (ID, TIMESTAMP, SIGNATURE)}
    reason = "no secret of this source signed it"
    for webhook in known:
        try:
            webhook.verify(body, given, json_parse=False)
        except WebhookVerificationError as error:
            reason = str(error).lower()
        except ValueError:  # a signature or a body that is no text
            reason = "invalid signature headers"
        else:
            return
    raise Problem(
        401,
        "unauthorized",
        f"{SIGNATURE}: {reason}; sign id, time and body with the secret that LONGSHIFT_WEBHOOK_SECRETS has",
        field=SIGNATURE,
    )
