"""The environments in which git runs.

A workspace's content is untrusted: its configuration, hooks, attributes and filters can run programs. So a call that
touches a workspace uses `hardened_environment`, in which none of them has a say.
"""

import os
import re
from collections.abc import Mapping


def _as_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Git settings as environment variables: they outrank every configuration file."""
    environment = {"GIT_CONFIG_COUNT": str(len(settings))}
    for index, (key, value) in enumerate(settings.items()):
        environment[f"GIT_CONFIG_KEY_{index}"] = key
        environment[f"GIT_CONFIG_VALUE_{index}"] = value
    return environment


RUNS_NOTHING = {
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.sshCommand": "/bin/false",
    "core.excludesFile": "/dev/null",
    "core.attributesFile": "/dev/null",
    "credential.helper": "",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "submodule.recurse": "false",
    "safe.directory": "*",
}
"""Everything in a repository that could start a program, or bring in a file from elsewhere, switched off."""

BYTES_AS_THEY_ARE = {
    "core.autocrlf": "false",
    "core.safecrlf": "false",
    "core.symlinks": "true",
    "core.fileMode": "true",
    "core.ignoreCase": "false",
    "core.protectNTFS": "false",
    "core.protectHFS": "false",
    "core.quotePath": "false",
    "core.sparseCheckout": "false",
    "core.compression": "1",
    "commit.gpgSign": "false",
}
"""Files are stored as they stand, and every name that Linux allows is allowed."""


HARMLESS_FAULTS = (
    "badTimezone",
    "badDate",
    "badDateOverflow",
    "badEmail",
    "badName",
    "missingEmail",
    "missingNameBeforeEmail",
    "missingSpaceBeforeDate",
    "missingSpaceBeforeEmail",
    "multipleAuthors",
    "zeroPaddedFilemode",
)
"""Of what git checks in objects that it fetches: faults of old tools, in names and dates, that many a good repository
has in its history. What could lead a checkout astray stays an error."""


def hardened_environment(extra_settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a call that touches a workspace: no hooks, no helpers, no network, no configuration."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": "/nonexistent",
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_SYSTEM": "/dev/null",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "/bin/false",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_ALLOW_PROTOCOL": "",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_PAGER": "cat",
        "GIT_AUTHOR_NAME": "longshift",
        "GIT_AUTHOR_EMAIL": "longshift@localhost",
        "GIT_COMMITTER_NAME": "longshift",
        "GIT_COMMITTER_EMAIL": "longshift@localhost",
        **_as_environment({**RUNS_NOTHING, **BYTES_AS_THEY_ARE, **(extra_settings or {})}),
    }


def fetching_environment() -> dict[str, str]:
    """The environment of a clone: the operator's own git set-up (credentials, proxies), no hooks, no questions."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    return {
        **inherited,
        "LC_ALL": "C",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "/bin/false",
        "SSH_ASKPASS": "/bin/false",
        "GIT_SSH_COMMAND": os.environ.get("GIT_SSH_COMMAND", "ssh -oBatchMode=yes -oConnectTimeout=30"),
        "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh",
        **_as_environment(
            {
                "core.hooksPath": "/dev/null",
                "core.fsmonitor": "false",
                "gc.auto": "0",
                "maintenance.auto": "false",
                "safe.directory": "*",
                "submodule.recurse": "false",
                "http.lowSpeedLimit": "1000",
                "http.lowSpeedTime": "60",
                "advice.detachedHead": "false",
                "transfer.fsckObjects": "true",
                **{f"fetch.fsck.{fault}": "ignore" for fault in HARMLESS_FAULTS},
            }
        ),
    }


_OF_THE_NETWORK = re.compile(r"(?:https?|all|no)_proxy|SSL_CERT_(?:FILE|DIR)|CURL_CA_BUNDLE", re.IGNORECASE)


def isolated_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """The environment of a call with a token of its own: HTTP alone, no configuration, no redirect to elsewhere."""
    network = {key: value for key, value in os.environ.items() if _OF_THE_NETWORK.fullmatch(key)}
    limits = {"http.followRedirects": "false", "http.lowSpeedLimit": "1000", "http.lowSpeedTime": "60"}
    return {**network, **hardened_environment({**limits, **settings}), "GIT_ALLOW_PROTOCOL": "http:https"}
