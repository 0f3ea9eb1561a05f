"""Values about model calls: usage, digests of answers, provider profiles."""

from enum import StrEnum
from typing import Any, Literal

from pydantic import Field

from longshift.contracts.completion import Claim
from longshift.contracts.reviews import Risk
from longshift.contracts.wire import UserInput, Wire

BYTES_PER_TOKEN = 4.0
"""The usual estimate for text and code; each answer's `usage` tells what it is in a conversation."""


class ToolClass(StrEnum):
    """How often a call may run."""

    PURE = "pure"
    """Reads only; may be repeated freely."""
    IDEMPOTENT = "idempotent"
    """Repeating it gives the same state."""
    EFFECT = "effect"
    """Runs at most once; re-attached or reported as lost after a crash."""


class Usage(Wire):
    """Tokens of one or more model calls, in the split that providers bill."""

    input_tokens: int = 0
    """Prompt tokens that were neither read from nor written to a cache."""
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0

    @property
    def prompt_tokens(self) -> int:
        """The size of the prompt, however it was billed."""
        return self.input_tokens + self.cached_tokens + self.cache_write_tokens

    @property
    def total_tokens(self) -> int:
        """Everything that counts against a token budget."""
        return self.prompt_tokens + self.output_tokens

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            cache_write_tokens=self.cache_write_tokens + other.cache_write_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
        )


class CallDigest(Wire):
    """A tool call as the workflow sees it: no arguments, only what decides and what people read."""

    index: int
    """Position among the answer's calls, from 0."""
    call_id: str
    """The provider's id; opaque, at most 128 characters, never parsed."""
    name: str
    tool_class: ToolClass
    arguments_hash: str
    """SHA-256 (first 16 hex digits) of the canonical arguments."""
    summary: str = ""
    """One line for the Web UI, at most 120 characters."""
    rejected: bool = False
    """The call failed the format check; its error result is in the answer record."""
    repaired: bool = False
    """The arguments were unambiguously damaged and were repaired."""
    reads: str = ""
    """What the call looks at, as a short hash of the tool and its subject; empty for calls that are no reads."""
    risk: Risk = Risk.LOW
    """What the call may do beyond the workspace."""
    risk_reason: str = ""
    """Why, in a few words; empty where the risk is low."""
    needs_approval: bool = False
    """A person has to let it run."""
    shown: str = ""
    """What a person is shown of a call that needs approval, or asks: all of it; else empty."""
    choices: tuple[str, ...] = ()
    """Of `ask_human`: the answers that the model offers, at most 10 of 75 characters."""
    command: str = ""
    """Of `bash`: `policy.claims.command_text`, at most 400 characters; else empty."""
    background: bool = False
    """Of `bash`: the call ends before the command does."""
    claims: tuple[Claim, ...] = ()
    """Of `finish`: what the agent says it ran to verify its work, at most 10."""


class ModelOutcome(StrEnum):
    """How a model call ended, as far as the workflow must know."""

    ANSWERED = "answered"
    OVERFLOW = "overflow"
    """The prompt exceeds the provider's window or body limit; nothing was stored."""
    TRUNCATED = "truncated"
    """The output limit cut the answer inside a call even with the most room; what was whole is stored."""
    REFUSED = "refused"
    """The provider refused on content grounds; a person has to look."""
    QUOTA = "quota"
    """Billing quota exhausted: wait and alert, no quick retry."""
    UNAVAILABLE = "unavailable"
    """Overload, rate limit or outage lasted longer than one activity may try."""
    MISCONFIGURED = "misconfigured"
    """Wrong key, unknown model, unknown profile, bad address: a person has to mend it."""


class Reserve(Wire):
    """What the next call may cost at most, apart from the size of its prompt: prices live with the worker."""

    output_tokens: int = 0
    """The output limit that it would ask for; 0: nobody has told yet."""
    output_usd: float = 0.0
    """What that many cost."""
    prompt_usd_per_token: float = 0.0
    """Of the dearest kind: neither read from a cache, nor cheaper because it is written to one."""


class ModelDigest(Wire):
    """What the workflow learns of a model call; the answer itself is in the store."""

    outcome: ModelOutcome
    detail: str = ""
    """For people: the provider's own words, at most 500 characters."""
    stop_reason: str = ""
    calls: tuple[CallDigest, ...] = ()
    usage: Usage = Usage()
    """Of all its requests, also those that broke or were thrown away; whatever the outcome."""
    cost_usd: float = 0.0
    context_tokens: int = 0
    """Prompt plus answer as billed: what the next prompt starts from."""
    window_tokens: int = 0
    """The profile's context window, or the smaller one learned from an overflow."""
    retry_after_seconds: float | None = None
    text: str = ""
    """What the answer says, for people: the summary of a `finish`, else its text; at most 1,000 characters."""
    context_bytes: int = 0
    """The same in bytes of JSON, to be held against `body_limit_bytes`."""
    bytes_per_token: float = 0.0
    """What this conversation's prompt had per token, by its `usage`; 0 where nothing was counted."""
    body_limit_bytes: int = 0
    """The profile's, or the smaller one learned from a refusal."""
    learnt_window_tokens: int = 0
    """The window, where an overflow showed that it is smaller than the profile says; 0 otherwise."""
    delivered_notes: int = 0
    """How many messages the stored answer was given: of those that wait, the first so many."""
    unknown: Usage = Usage()
    """The part of `usage` that no provider told: requests whose outcome is unknown, at their reservation."""
    unknown_usd: float = 0.0
    reserve: Reserve = Reserve()
    throttled: int = 0
    """How often the provider said that there were too many requests."""


class HandoffDigest(Wire):
    """The result of asking the model for a hand-off note and opening the next epoch (or none, at the end)."""

    outcome: ModelOutcome
    detail: str = ""
    epoch: int = 0
    """The epoch that is now current."""
    usage: Usage = Usage()
    cost_usd: float = 0.0
    context_tokens: int = 0
    context_bytes: int = 0
    retry_after_seconds: float | None = None
    note: str = ""
    """The first 500 characters of the note, for people; the whole is in the store."""
    cleared: bool = False
    """Clearing old tool results made enough room; no note was written."""
    by_runner: bool = False
    """No model wrote the note: it is made of the record."""
    unknown: Usage = Usage()
    """The part of `usage` that no provider told: requests whose outcome is unknown, at their reservation."""
    unknown_usd: float = 0.0
    reserve: Reserve = Reserve()


class Prices(UserInput):
    """US dollars per million tokens."""

    input: float = Field(default=0.0, ge=0)
    cached: float = Field(default=0.0, ge=0)
    cache_write: float = Field(default=0.0, ge=0)
    output: float = Field(default=0.0, ge=0)

    def cost_usd(self, usage: Usage) -> float:
        """What `usage` costs."""
        return (
            usage.input_tokens * self.input
            + usage.cached_tokens * self.cached
            + usage.cache_write_tokens * self.cache_write
            + usage.output_tokens * self.output
        ) / 1_000_000

    def reserve(self, output_tokens: int) -> Reserve:
        """What a call with this output limit may cost at most."""
        return Reserve(
            output_tokens=output_tokens,
            output_usd=output_tokens * self.output / 1_000_000,
            prompt_usd_per_token=max(self.input, self.cache_write, self.cached) / 1_000_000,
        )

    def spent(self, usage: Usage, unknown: Usage) -> dict[str, Any]:
        """The fields by which digests say what was spent; `unknown` is the part of `usage` that was only booked."""
        return {
            "usage": usage,
            "cost_usd": self.cost_usd(usage),
            "unknown": unknown,
            "unknown_usd": self.cost_usd(unknown),
        }


class Limits(UserInput):
    """An account's limits at the provider; this worker keeps to `share` of them."""

    concurrency: int | None = Field(default=None, gt=0)
    requests_per_minute: int | None = Field(default=None, gt=0)
    tokens_per_minute: int | None = Field(default=None, gt=0)
    share: float = Field(default=1.0, gt=0, le=1)
    """The part of the account that this worker may use, when several share it."""


class ErrorRule(UserInput):
    """Overrides the built-in error table for one provider; the first rule that matches wins."""

    status: int | None = None
    type: str | None = None
    """Exact `error.type`."""
    pattern: str | None = None
    """A regular expression searched in the error's message, ignoring case."""
    kind: Literal[
        "overloaded",
        "rate_limited",
        "quota",
        "overflow",
        "too_large",
        "auth",
        "unknown_model",
        "refused",
        "invalid",
        "server",
    ]


class ModelProfile(UserInput):
    """Everything that differs between providers, as data (TOML under `[models.NAME]`)."""

    name: str
    base_url: str
    """The part before `path`, such as `https://api.anthropic.com`."""
    path: str = "/v1/messages"
    model: str
    auth: Literal["bearer", "x-api-key", "both", "none"] = "bearer"
    api_key_env: str = "LONGSHIFT_MODEL_API_KEY"
    """Name of the environment variable that holds the key; the key itself is never in a profile."""
    headers: dict[str, str] = {}
    """Extra request headers, `anthropic-version` among them."""
    window_tokens: int = Field(gt=0)
    max_output_tokens: int = Field(gt=0)
    """Asked for in an ordinary step."""
    output_limit_tokens: int = Field(gt=0)
    """The most that the provider allows; used when an answer was cut."""
    body_limit_bytes: int = Field(default=32_000_000, gt=0)
    sampling: dict[str, float] = {}
    """Sent as they stand; empty for endpoints that fix or refuse them."""
    extra_body: dict[str, Any] = {}
    """Merged into the request, such as `thinking` or `output_config`."""
    thinking_replay: Literal["all", "none"] = "all"
    """Whether historic thinking blocks are sent back."""
    unsigned_thinking: bool = True
    """Whether the endpoint accepts thinking blocks without a signature."""
    cache: Literal["auto", "blocks", "top-level", "none"] = "auto"
    """`auto`: the provider caches prefixes by itself; `blocks`: cache_control markers; `top-level`: one field."""
    count_tokens_path: str | None = None
    """Of the endpoint that counts a prompt's tokens; nothing or empty where there is none."""
    count_tokens_from: Literal["base_url", "host"] = "base_url"
    """What `count_tokens_path` is appended to: the whole of `base_url`, or its scheme and host alone."""
    count_tokens_style: Literal["messages", "kimi"] = "messages"
    """`messages`: takes the messages endpoint's prompt, answers `input_tokens`; `kimi`: takes chat messages of the
    OpenAI shape, answers `data.total_tokens`."""
    prices: Prices = Prices()
    limits: Limits = Limits()
    error_rules: tuple[ErrorRule, ...] = ()
    progress_timeout_seconds: float = Field(default=300, gt=0)
    """No content for this long (pings do not count) ends the attempt."""
    request_timeout_seconds: float = Field(default=3_600, gt=0)
    """The overall limit of one attempt."""
