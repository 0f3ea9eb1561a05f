"""A consumer to be killed: writes the key of each message that it takes over to its output, then acknowledges it.

Usage: brokers_consumer.py URL
"""

import asyncio
import sys

from longshift.adapters.brokers import open_source


async def main(url: str) -> None:
    async with open_source(url) as source:
        while True:
            for lease in await source.receive(10, 5.0):
                sys.stdout.write(f"{lease.key}\n")
                sys.stdout.flush()
                await lease.ack()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
