"""The table of failures: every row of the providers' error pages, and every exception of httpx."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from model_wire import profile_of

from longshift.adapters.model.failures import TRANSPORT_FAILURES, classify, classify_transport
from longshift.adapters.model.profiles import load_profiles
from longshift.adapters.model.retry_after import retry_after_seconds
from longshift.contracts.errors import ProviderError, ProviderFailure
from longshift.contracts.model import ModelProfile

F = ProviderFailure


def typed(kind: str, message: str = "words") -> bytes:
    return json.dumps({"type": "error", "error": {"type": kind, "message": message}}).encode()


def refused(status: int, body: bytes, profile: ModelProfile | None = None, **headers: str) -> ProviderError:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return classify(status, httpx.Headers(named), body, profile or profile_of())


KIMI_OVERFLOW = "Invalid request: Your request exceeded model token limit: 262144 (requested: 269030)"

ROWS: list[tuple[int, bytes, ProviderFailure]] = [
    # Kimi
    (400, typed("content_filter"), F.REFUSED),
    (400, typed("invalid_request_error"), F.INVALID),
    (400, typed("invalid_request_error", "invalid temperature: only 1 is allowed for this model"), F.INVALID),
    (400, typed("invalid_request_error", "tool_call_id  is not found"), F.INVALID),
    (400, typed("invalid_request_error", "function name bash is duplicated"), F.INVALID),
    (400, typed("invalid_request_error", KIMI_OVERFLOW), F.OVERFLOW),
    (400, typed("invalid_request_error", "Input token length too long"), F.OVERFLOW),
    (400, typed("invalid_request_error", "total message size 3000000 exceeds limit 2097152"), F.TOO_LARGE),
    (401, b'{"error":{"type":"invalid_authentication_error","message":"no"}}', F.AUTH),
    (401, typed("incorrect_api_key_error"), F.AUTH),
    (403, typed("permission_denied_error"), F.AUTH),
    (403, typed("access_terminated_error", "You have reached your usage limit for this billing cycle"), F.QUOTA),
    (403, b'{"error":{"message":"only available for Coding Agents","type":"access_terminated_error"}}', F.AUTH),
    (404, typed("resource_not_found_error", "Not found the model kimi-k2 or Permission denied"), F.UNKNOWN_MODEL),
    (404, b'{"error":"url.not_found"}', F.UNKNOWN_MODEL),
    (413, b"Request exceeds the maximum size", F.TOO_LARGE),
    (429, typed("engine_overloaded_error", "The engine is currently overloaded"), F.OVERLOADED),
    (429, typed("rate_limit_reached_error", "max RPM: 3, then recharge"), F.RATE_LIMITED),
    (429, typed("exceeded_current_quota_error", "words"), F.QUOTA),
    (429, typed("rate_limit_error", "You exceeded your current token quota: 3"), F.QUOTA),
    (429, typed("rate_limit_error", "please check your account balance"), F.QUOTA),
    (429, typed("unknown_error", "Insufficient balance, please recharge"), F.QUOTA),
    (429, b"your account is in arrears", F.QUOTA),
    (429, typed("unknown_error", "The engine is currently overloaded, please try again later"), F.OVERLOADED),
    (429, b"<html><title>429 Too Many Requests</title></html>", F.RATE_LIMITED),
    (499, typed("client_closed_request"), F.CONNECTION),
    (499, b"", F.CONNECTION),
    (500, typed("server_error"), F.SERVER),
    (500, typed("unexpected_output"), F.SERVER),
    (503, typed("server_unavailable"), F.SERVER),
    (504, b"<!DOCTYPE html><html><head><title>504 Gateway Time-out</title></head></html>", F.SERVER),
    # Anthropic
    (400, typed("invalid_request_error", "prompt is too long: 208310 tokens > 200000 maximum"), F.OVERFLOW),
    (
        400,
        typed(
            "invalid_request_error", "input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000, ..."
        ),
        F.OVERFLOW,
    ),
    (400, typed("invalid_request_error", "Your credit balance is too low to access the API."), F.QUOTA),
    (401, typed("authentication_error"), F.AUTH),
    (402, typed("billing_error"), F.QUOTA),
    (403, typed("permission_error"), F.AUTH),
    (404, typed("not_found_error", "model: claude-x"), F.UNKNOWN_MODEL),
    (408, b"", F.SERVER),
    (409, typed("conflict_error"), F.SERVER),
    (413, typed("request_too_large"), F.TOO_LARGE),
    (413, b"<html><head><title>413 Request Entity Too Large</title></head></html>", F.TOO_LARGE),
    (429, typed("rate_limit_error", "This request would exceed your organization's rate limit"), F.RATE_LIMITED),
    (500, typed("api_error"), F.SERVER),
    (504, typed("timeout_error"), F.SERVER),
    (529, typed("overloaded_error"), F.OVERLOADED),
    (529, b"", F.OVERLOADED),
    # Others
    (400, b'{"error":{"message":"This model\'s maximum context length is 131072 tokens"}}', F.OVERFLOW),
    (400, b'{"error":{"code":"context_length_exceeded","message":"too long"}}', F.OVERFLOW),
    (400, b'{"error":{"message":"Model Not Exist","type":"invalid_request_error"}}', F.UNKNOWN_MODEL),
    (400, b'{"detail":"input token count 9 exceeds the maximum number of tokens allowed 5000"}', F.OVERFLOW),
    (400, b'{"message":"the request was rejected because it was considered high risk"}', F.REFUSED),
    (402, b'{"error":{"message":"Insufficient Balance"}}', F.QUOTA),
    (405, b"", F.INVALID),
    (422, b'{"detail":[{"loc":["body","tools"],"msg":"bad"}]}', F.INVALID),
    (422, b'{"error":{"message":"context window would be exceeded"}}', F.OVERFLOW),
    (425, b"", F.SERVER),
    (502, b"", F.SERVER),
    (307, b"", F.INVALID),
    # Inside a stream
    (200, typed("overloaded_error"), F.OVERLOADED),
    (200, typed("api_error"), F.SERVER),
    (200, typed("invalid_request_error"), F.INVALID),
    (200, typed("invalid_request_error", KIMI_OVERFLOW), F.OVERFLOW),
    (200, b'{"error":"something else"}', F.SERVER),
    (200, b"", F.SERVER),
]


@pytest.mark.parametrize(("status", "body", "failure"), ROWS)
def test_refusal_is_classified(status: int, body: bytes, failure: ProviderFailure) -> None:
    assert failure == refused(status, body).failure


def test_every_failure_can_be_reached() -> None:
    from_bodies = {failure for _, _, failure in ROWS}
    from_network = {failure for row in TRANSPORT_FAILURES for failure in row[1:]}
    assert set(ProviderFailure) == from_bodies | from_network


@pytest.mark.parametrize(
    ("name", "status", "body", "failure"),
    [
        ("glm", 429, b'{"error":{"code":"1113","message":"no resource package"}}', F.QUOTA),
        ("glm", 429, b'{"error":{"code":1113,"message":"no resource package"}}', F.QUOTA),
        ("qwen", 429, b'{"code":"Throttling.AllocationQuota","message":"exceeded your current quota"}', F.RATE_LIMITED),
        ("qwen", 400, b'{"code":"Arrearage","message":"Access denied"}', F.QUOTA),
        ("qwen", 400, b'{"error":{"type":"DataInspectionFailed","message":"x"}}', F.REFUSED),
        ("qwen", 400, b'{"error":{"message":"Range of input length should be [1, 129024]"}}', F.OVERFLOW),
        ("deepseek", 402, b'{"error":{"message":"Insufficient Balance","type":"unknown_error"}}', F.QUOTA),
    ],
)
def test_quirks_of_built_in_providers_are_known(name: str, status: int, body: bytes, failure: ProviderFailure) -> None:
    assert failure == refused(status, body, load_profiles()[name]).failure


def test_first_rule_of_the_profile_that_fits_overrules_the_table() -> None:
    profile = profile_of(
        error_rules=[
            {"status": 500, "type": "rate_limit_error", "kind": "auth"},
            {"type": "rate_limit_error", "pattern": "MONTHLY", "kind": "quota"},
            {"status": 429, "kind": "overloaded"},
        ]
    )
    assert F.QUOTA == refused(429, typed("rate_limit_error", "the monthly limit"), profile).failure
    assert F.OVERLOADED == refused(429, typed("exceeded_current_quota_error"), profile).failure
    assert F.SERVER == refused(500, typed("api_error"), profile).failure


@pytest.mark.parametrize(
    ("message", "window"),
    [
        (KIMI_OVERFLOW, 262_144),
        ("prompt is too long: 208310 tokens > 200000 maximum", 200_000),
        ("input length and `max_tokens` exceed context limit: 188240 + 21333 > 200000, decrease", 200_000),
        ("This model's maximum context length is 131,072 tokens. However, you requested 140000", 131_072),
        ("input token count (9) exceeds the maximum number of tokens allowed (1048576).", 1_048_576),
        ("the context window of 65_536 tokens would be exceeded", 65_536),
        ("exceeded model token limit: 7", None),
        ("prompt is too long", None),
    ],
)
def test_window_is_learned_from_an_overflow(message: str, window: int | None) -> None:
    error = refused(400, typed("invalid_request_error", message))
    assert (F.OVERFLOW, window) == (error.failure, error.window_tokens)


def test_window_is_learned_from_an_overflow_only() -> None:
    assert refused(500, typed("api_error", KIMI_OVERFLOW)).window_tokens is None


def test_error_tells_status_type_words_and_request_id() -> None:
    error = refused(429, typed("rate_limit_error", "slow  down\nplease"), request_id="req_1", retry_after="7")
    assert "HTTP 429: rate_limit_error: slow down please" == str(error)
    assert (429, "req_1", 7.0) == (error.status, error.request_id, error.retry_after_seconds)


@pytest.mark.parametrize("name", ["request-id", "x-request-id", "x-trace-id"])
def test_request_id_is_taken_from_any_providers_header(name: str) -> None:
    assert "r1" == classify(500, httpx.Headers({name: "r1"}), b"", profile_of()).request_id


def test_request_id_is_taken_from_the_body_otherwise() -> None:
    assert "r2" == refused(500, b'{"error":{"message":"x"},"request_id":"r2"}').request_id


def test_page_is_told_by_its_title_or_its_text() -> None:
    assert "HTTP 502: Bad & Gateway" == str(refused(502, b"<html><title>Bad &amp;\n Gateway</title><p>x</html>"))
    assert "HTTP 502: plain words" == str(refused(502, b"<p>plain <b>words</b><style>p{}</style></p>"))


def test_error_event_has_no_status() -> None:
    error = refused(200, typed("api_error", "x"))
    assert (None, "error in the stream: api_error: x") == (error.status, str(error))


def test_redirect_names_where_it_leads() -> None:
    assert "https://b/" in str(refused(308, b"", location="https://b/"))


def test_half_characters_in_an_error_are_replaced_so_that_every_wire_takes_it() -> None:
    body = b'{"error":{"type":"api_error","message":"cut \\ud83d"},"request_id":"\\ud800"}'
    error = refused(500, body)
    assert ("HTTP 500: api_error: cut \ufffd", "\ufffd") == (str(error), error.request_id)


def test_message_is_short_enough_for_people() -> None:
    assert 500 == len(str(refused(500, typed("api_error", "x" * 10_000))))


@pytest.mark.parametrize(
    ("status", "kind", "hint", "failure"),
    [
        (429, "rate_limit_error", "false", F.QUOTA),
        (529, "overloaded_error", "false", F.QUOTA),
        (500, "api_error", "false", F.INVALID),
        (400, "invalid_request_error", "true", F.SERVER),
        (401, "authentication_error", "true", F.AUTH),
        (429, "rate_limit_error", "true", F.RATE_LIMITED),
        (400, "invalid_request_error", "false", F.INVALID),
    ],
)
def test_should_retry_header_overrules_our_view(status: int, kind: str, hint: str, failure: ProviderFailure) -> None:
    assert failure == refused(status, typed(kind), x_should_retry=hint).failure


@given(st.integers(300, 999), st.binary(max_size=200))
def test_any_status_and_any_bytes_make_an_error(status: int, body: bytes) -> None:
    assert isinstance(refused(status, body).failure, ProviderFailure)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["error", "type", "message", "code", "detail", "request_id"]), inner)
    ),
    max_leaves=8,
)


@given(JSON)
def test_any_json_makes_an_error(value: Any) -> None:
    assert F.INVALID == refused(418, json.dumps(value).encode(), profile_of()).failure


# Retry-After


NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "20"}, 20.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "99999999"}, 86_400.0),
        ({"retry-after-ms": "250", "retry-after": "20"}, 0.25),
        ({"retry-after-ms": "x", "retry-after": "20"}, 20.0),
        (
            {
                "retry-after": format_datetime(NOW + timedelta(seconds=90), usegmt=True),
                "date": format_datetime(NOW, usegmt=True),
            },
            90.0,
        ),
        ({"retry-after": format_datetime(NOW, usegmt=True), "date": format_datetime(NOW, usegmt=True)}, 0.0),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
    ],
)
def test_retry_after_is_read_in_every_form(headers: dict[str, str], seconds: float | None) -> None:
    assert seconds == retry_after_seconds(httpx.Headers(headers))


# httpx


def leaves(base: type[Exception]) -> set[type[Exception]]:
    below = {leaf for sub in base.__subclasses__() for leaf in leaves(sub)}
    return below or {base}


def test_every_exception_of_httpx_has_a_row() -> None:
    known = tuple(row[0] for row in TRANSPORT_FAILURES)
    assert set() == {leaf for leaf in leaves(httpx.RequestError) if not issubclass(leaf, known)}


@pytest.mark.parametrize(
    ("error", "before", "after"),
    [
        (httpx.ConnectError("refused"), F.CONNECTION, F.CONNECTION),
        (httpx.ConnectTimeout("slow"), F.CONNECTION, F.CONNECTION),
        (httpx.PoolTimeout("full"), F.CONNECTION, F.CONNECTION),
        (httpx.ReadTimeout("silent"), F.CONNECTION, F.INCOMPLETE),
        (httpx.WriteTimeout("stuck"), F.CONNECTION, F.INCOMPLETE),
        (httpx.ReadError("reset"), F.CONNECTION, F.INCOMPLETE),
        (httpx.WriteError("reset"), F.CONNECTION, F.INCOMPLETE),
        (httpx.CloseError("x"), F.CONNECTION, F.INCOMPLETE),
        (httpx.ProxyError("x"), F.CONNECTION, F.CONNECTION),
        (httpx.RemoteProtocolError("cut"), F.CONNECTION, F.INCOMPLETE),
        (httpx.DecodingError("gzip"), F.SERVER, F.SERVER),
        (httpx.UnsupportedProtocol("ftp"), F.INVALID, F.INVALID),
        (httpx.TooManyRedirects("x"), F.INVALID, F.INVALID),
        (httpx.InvalidURL("x"), F.INVALID, F.INVALID),
    ],
)
def test_failure_of_the_network_is_classified(
    error: httpx.HTTPError, before: ProviderFailure, after: ProviderFailure
) -> None:
    assert (before, after) == (
        classify_transport(error, answering=False).failure,
        classify_transport(error, answering=True).failure,
    )


def test_local_protocol_error_does_not_quote_the_header() -> None:
    error = classify_transport(httpx.LocalProtocolError("Illegal header value b'Bearer sk-1'"), answering=False)
    assert (F.INVALID, "LocalProtocolError") == (error.failure, str(error))
