"""Where an SQS queue is: `sqs://region/account/queue`, `sqs://region/queue`, or the queue's own https URL."""

from dataclasses import dataclass, replace

from longshift.adapters.brokers.address import Address, parse_address

FIFO = ".fifo"
PARAMETERS = frozenset({"endpoint_url", "region"})
REMEDY = "use sqs://REGION/ACCOUNT/QUEUE or https://sqs.REGION.amazonaws.com/ACCOUNT/QUEUE"


@dataclass(frozen=True)
class QueueAddress:
    """An address with what AWS wants to know."""

    address: Address
    region: str
    account: str
    """Empty: that of the credentials."""
    endpoint_url: str | None
    """None: where AWS has the region's."""

    @property
    def is_fifo(self) -> bool:
        """Whether the queue keeps an order; its dead letters must, too."""
        return self.address.queue.endswith(FIFO)

    @property
    def dead_queue(self) -> str:
        """The name of the queue of the dead."""
        name = self.address.queue
        return f"{name.removesuffix(FIFO)}-dead{FIFO}" if self.is_fifo else f"{name}-dead"


def parse_queue_address(url: str) -> QueueAddress:
    """Take a URL apart.

    Raises:
        BadInput: it does not say region and queue, or holds credentials.
    """
    address = parse_address(url, parameters=PARAMETERS)
    account, _, queue = address.path.rpartition("/")
    address = replace(address, path=account, queue=queue or address.queue)
    given_endpoint = address.parameters.get("endpoint_url")
    if address.user is not None:
        raise address.wrong("credentials in the URL are not used", "give them in AWS_… variables or a profile")
    if address.scheme == "sqs":
        region, endpoint_url = address.host, given_endpoint
    else:
        labels = address.host.split(".")
        region, endpoint_url = labels[1] if labels[0] == "sqs" and len(labels) > 3 else "", f"https://{address.host}"
    region = address.parameters.get("region") or region
    if not region or "/" in account:
        raise address.wrong("the URL does not say region, account and queue", REMEDY)
    return QueueAddress(address=address, region=region, account=account, endpoint_url=given_endpoint or endpoint_url)
