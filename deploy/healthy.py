#!/usr/local/bin/python3 -IS
"""Asks a process of this machine how it is: `longshift-healthy 7281 /readyz` ends with 0 if it answers with 200.

For the health checks of containers. The stdlib alone, so that it starts in 50 ms, and no proxy of the environment.
"""

import http.client
import sys

TIMEOUT_SECONDS = 4.0


def main(port: str, path: str) -> int:
    """The exit code."""
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", path)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        sys.stderr.write(f"{path} on port {port}: {error}\n")
        return 1
    finally:
        connection.close()
    sys.stderr.write(f"{path} on port {port}: {status}\n")
    return 0 if status == http.client.OK else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
