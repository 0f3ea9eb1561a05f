"""URLs of queues: what is wrong is said with the field and the remedy, and credentials are never shown."""

import pytest

from longshift.adapters.brokers import MODULES, open_source
from longshift.adapters.brokers.address import parse_address
from longshift.adapters.brokers.rabbitmq_messages import delay_of
from longshift.adapters.brokers.sqs_address import parse_queue_address
from longshift.contracts.errors import BadInput

USABLE = {
    "redis": "redis://u:hush@h:6379/1?queue=q",
    "rediss": f"rediss://u:hush@h?queue=q&ca_file={__file__}",
    "valkey": "valkey://:hush@h?queue=q",
    "valkeys": "valkeys://u:hush@[::1]:6379?queue=q&lease_seconds=5",
    "nats": "nats://hush@h:4222?queue=tasks.new&replicas=3",
    "tls": f"tls://u:hush@h:4222?queue=q&credentials_file={__file__}",
    "amqp": "amqp://u:hush@h/v?queue=q",
    "amqps": "amqps://u:hush@h/%2F?queue=q",
    "sqs": "sqs://eu-west-1/123456789012/q",
    "https": "https://sqs.eu-west-1.amazonaws.com/123456789012/q",
}


def test_every_scheme_has_a_url_here() -> None:
    assert MODULES.keys() == USABLE.keys()


@pytest.mark.parametrize("url", USABLE.values(), ids=USABLE)
async def test_a_source_is_named_without_credentials(url: str) -> None:
    async with open_source(url) as source:
        assert source.name.startswith(url.split("://")[0])
        assert "hush" not in f"{source.name} {source!r} {parse_address(url.split('?')[0])!r}"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("kafka://h?queue=q", "no broker for the scheme 'kafka'; use one of amqp, amqps, https"),
        ("no url", "no broker for the scheme ''"),
        ("redis://h?queue=q&speed=1", "unknown parameter speed; known are ca_file, lease_seconds, queue"),
        ("redis://u:hush@h:port?queue=q", "cannot be read; escape user and password"),
        ("redis://u:hush@h?queue", "cannot be read"),
        ("redis://h/tasks", "is no number of a database; the stream is named by"),
        ("redis://h?lease_seconds=0", "lease_seconds is '0'; give a number from 1 to 3600"),
        ("redis://h?lease_seconds=nan", "lease_seconds is 'nan'"),
        ("amqps://h?ca_file=/nowhere.pem", "ca_file names no file; give"),
        ("nats://h?credentials_file=/nowhere.creds", "credentials_file names no file; give"),
        ("nats://h?queue=tasks.*", "is no subject; use"),
        ("nats://h?queue=q&replicas=9", "replicas is no number from 1 to 5"),
        ("sqs://eu-west-1/1/2/q", "does not say region, account and queue; use sqs://REGION/ACCOUNT/QUEUE"),
        ("https://example.com/1/q", "does not say region, account and queue"),
        ("sqs://u:hush@eu-west-1/1/q", "credentials in the URL are not used"),
    ],
)
def test_a_url_that_cannot_be_used_names_the_field_and_the_remedy(url: str, words: str) -> None:
    with pytest.raises(BadInput) as failure:
        open_source(url)
    assert str(failure.value).startswith("intake_queues: ")
    assert words in str(failure.value)
    assert "hush" not in str(failure.value)


@pytest.mark.parametrize(
    ("url", "region", "account", "queue", "dead", "endpoint"),
    [
        ("sqs://eu-west-1/12/q", "eu-west-1", "12", "q", "q-dead", None),
        ("sqs://eu-west-1/q.fifo", "eu-west-1", "", "q.fifo", "q-dead.fifo", None),
        ("https://sqs.us-east-2.amazonaws.com/12/q", "us-east-2", "12", "q", "q-dead", "https://sqs.us-east-2.amazonaws.com"),
        ("https://h/12/q?region=r", "r", "12", "q", "q-dead", "https://h"),
        ("sqs://r/q?endpoint_url=http%3A%2F%2Fh%3A1", "r", "", "q", "q-dead", "http://h:1"),
    ],
)  # fmt: skip
def test_an_sqs_url_says_where_the_queue_is(
    url: str, region: str, account: str, queue: str, dead: str, endpoint: str | None
) -> None:
    where = parse_queue_address(url)
    assert (region, account, queue) == (where.region, where.account, where.address.queue)
    assert (dead, endpoint) == (where.dead_queue, where.endpoint_url)


@pytest.mark.parametrize(("asked", "given"), [(0, 1), (1, 1), (1.5, 2), (33, 64), (43_200, 65_536), (1e9, 65_536)])
def test_rabbitmq_delays_by_powers_of_two(asked: float, given: int) -> None:
    assert given == delay_of(asked)
