"""Where a provider's endpoints are, out of its profile. A key only ever goes to the host of `base_url`."""

from urllib.parse import urlsplit

from longshift.contracts.errors import BadInput
from longshift.contracts.model import ModelProfile


def messages_url(profile: ModelProfile) -> str:
    """The address of the messages endpoint.

    Raises:
        BadInput: The profile names no address or model.
    """
    return _base_url(profile) + profile.path


def counting_url(profile: ModelProfile) -> str:
    """The address of the endpoint that counts the tokens of a prompt.

    Raises:
        BadInput: The profile names no address or model, or no such endpoint.
    """
    base_url = _base_url(profile)
    if not profile.count_tokens_path:
        raise BadInput(f"models.{profile.name}.count_tokens_path: is empty; set it, or do not ask for a count")
    if profile.count_tokens_from == "host":
        parts = urlsplit(base_url)
        base_url = f"{parts.scheme}://{parts.netloc}"
    return base_url + profile.count_tokens_path


def _base_url(profile: ModelProfile) -> str:
    for field in ("base_url", "model"):
        if not getattr(profile, field):
            raise BadInput(f"models.{profile.name}.{field}: is empty; set it to what the provider documents")
    return profile.base_url.rstrip("/")
