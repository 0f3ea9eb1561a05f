"""What a call may do beyond the workspace, by what its command says.

This tells people what to look at; it is no protection: a command that wants to hide what it does can. What must not
happen is the sandbox's to prevent.
"""

import re
from typing import Any, Final

from longshift.contracts.reviews import Risk

_SAME_COMMAND = r"""(?:[^\n;|&'"]|'[^'\n]{0,200}'|"[^"\n]{0,200}"){0,200}?"""
"""What is quoted is no word of the command. Every repetition is bounded, so that time grows with the length alone."""
_START = r"(?:^|[;&|(\n]|\b(?:sudo|exec|time|env|xargs) )[ \t]{0,20}"
_HOME = r"(?:~|\$HOME|/root|/home/[^/\s]+)"


def _run(programs: str, *having: str) -> str:
    """One of these programs, in its command all of these patterns in turn."""
    return _START + rf"(?:{programs})\b" + "".join(_SAME_COMMAND + each for each in having)


def _verb(verbs: str) -> str:
    return rf"\b(?:{verbs})\b"


_HIGH: Final = {
    "deletes outside of the workspace": (
        _run("rm", r"\s-[a-zA-Z]*[rRf]", rf"\s(?:/(?!(?:var/)?tmp/\S)|{_HOME}(?:/|\s|$)|\.\./)"),
        _run("find", r"\s(?:/|~)", r"\s-delete\b"),
    ),
    "overwrites a published history": (_run("git", _verb("push"), r"(?:--force|--mirror|--delete|\s-f\b|\s\+\S)"),),
    "writes to a disk or makes a file system": (_run(r"mkfs(?:\.\w+)?|fdisk|parted|wipefs"), _run("dd", r"\bof=/dev/")),
    "runs what it downloads": (
        r"\b(?:curl|wget)\b[^\n;]{0,300}?\|[ \t]{0,20}(?:sudo )?(?:ba|z|da)?sh\b",
        r"\b(?:ba|z)?sh\b[^\n;]{0,300}?<\([ \t]{0,20}(?:curl|wget)\b",
    ),
    "destroys a database's contents": (r"(?i:\b(?:drop\s+(?:database|schema|table)|truncate\s+table)\b)",),
    "changes or destroys infrastructure": (
        _run("terraform|tofu|pulumi", _verb("apply|destroy|up")),
        _run("kubectl|helm", _verb("delete|uninstall")),
        _run("aws|gcloud|az", r"\b(?:delete|terminate|rm|rb|remove)"),
    ),
    "reads secrets": (
        rf"{_HOME}/\.(?:ssh|aws|gnupg|kube|netrc|docker/config|config/gcloud)\b",
        r"/etc/(?:shadow|sudoers)\b",
    ),
    "acts with the rights of another user": (_run("sudo|su|doas"),),
    "stops the machine or a service": (
        _run("shutdown|reboot|poweroff|halt"),
        _run("systemctl", _verb("stop|disable|mask|restart")),
    ),
}
_MEDIUM: Final = {
    "publishes commits": (_run("git", _verb("push")),),
    "publishes a package or an image": (
        _run("npm|pnpm|yarn|cargo|poetry|uv|flit|hatch|gem", _verb("publish|push")),
        _run("twine", _verb("upload")),
        _run("docker|podman|skopeo", _verb("push|copy")),
    ),
    "acts on a hosting service": (_run("gh|glab|hub", _verb("create|merge|close|delete|edit|comment|review|release")),),
    "deploys": (
        _run("kubectl|helm", _verb("apply|create|install|upgrade|scale|rollout|patch")),
        _run("ansible-playbook|serverless|flyctl|vercel|netlify|heroku"),
    ),
    "reaches another machine": (_run("ssh|scp|sftp|telnet|nc"), _run("rsync", r"\s\S+:")),
    "sends data over HTTP": (
        r"\bcurl\b" + _SAME_COMMAND + r"\s(?:-X|--request)[ =]?(?:POST|PUT|PATCH|DELETE)\b",
        r"\bcurl\b" + _SAME_COMMAND + r"\s(?:-[dFT]\b|--(?:data|form|json|upload-file))",
        r"\bwget\b" + _SAME_COMMAND + r"--(?:post|body)",
    ),
    "installs for the whole machine": (
        _run("apt|apt-get|dnf|yum|apk|pacman|brew|snap", r"(?:\b(?:install|add|remove|purge|upgrade)\b|\s-S\w*)"),
    ),
    "reaches another machine from the shell": (r"/dev/(?:tcp|udp)/(?!(?:localhost|127\.0\.0\.1)/)",),
    "plans work for later": (_run("crontab|at|systemd-run"),),
    "ends processes by name": (_run("pkill|killall"),),
}
_SHELLS = r"(?:ba|z|da|k)?sh\b"
_DECODES = r"\b(?:base64|base32|xxd|uudecode|rev|tr|openssl[ \t]+\w{1,10}[ \t]+-d)\b"
_READS_CODE = r"(?:" + _SHELLS + r"|(?:python[\d.]{0,5}|perl|ruby|node|php)[ \t]*-?[ \t]*(?:$|[;&|\n]))"
_UNKNOWN: Final = {
    "runs what it decodes": (
        _DECODES + r"[^\n;]{0,300}?\|[ \t]{0,20}(?:sudo )?" + _READS_CODE,
        _START + r"(?:eval|" + _SHELLS + r"[ \t]+-c)[ \t][^\n]{0,400}?" + _DECODES,
    ),
    "runs the text of a variable": (_START + r"(?:eval|" + _SHELLS + r"[ \t]+-c)[ \t]+[\"']?\$[\w{]",),
}
_RULES: Final = tuple(
    (risk, reason, re.compile("|".join(f"(?:{pattern})" for pattern in patterns)))
    for risk, table in ((Risk.HIGH, _HIGH), (Risk.UNKNOWN, _UNKNOWN), (Risk.MEDIUM, _MEDIUM))
    for reason, patterns in table.items()
)
_PROGRAM = re.compile(r"\b(?:python[\d.]{0,5}|perl|ruby|node|php)[ \t]+(?:-[ceEr]|-[ \t]{0,5}<<)")
"""A program within the command itself."""
_PROGRAM_DECODES = re.compile(r"b64decode|a85decode|fromhex|unhexlify|\bpack\(|'base64'\)")
_PROGRAM_RUNS = re.compile(r"\b(?:exec|eval|system)\b")
_PROGRAM_CONNECTS = re.compile(
    r"socket\.(?:socket|create_connection)|urlopen|urlretrieve|requests\.(?:get|post|put|patch|delete|request|Session)"
    r"|http\.client|httpx\.|aiohttp|smtplib|ftplib|paramiko|IO::Socket|Net::HTTP|TCPSocket|net\.connect|\bfetch\("
)
_LOOPBACK = re.compile(r"localhost|127\.0\.0\.1|\[::1\]|__version__")
"""What goes to this machine itself is everyday work, and so is a look at a version."""
SEARCHED_CHARACTERS = 100_000
"""As long as a command may be."""


def risk_of(name: str, arguments: dict[str, Any]) -> tuple[Risk, str]:
    """How risky a call is, and why in a few words; the graver rules come first, and the first that fits counts."""
    if name != "bash":
        return Risk.LOW, ""
    command = str(arguments.get("command", ""))[:SEARCHED_CHARACTERS]
    found = next(((risk, reason) for risk, reason, rule in _RULES if rule.search(command)), (Risk.LOW, ""))
    hidden = "" if found[0] in (Risk.HIGH, Risk.UNKNOWN) else _hidden(command)
    return (Risk.UNKNOWN, hidden) if hidden else found


def _hidden(command: str) -> str:
    """Why a program within a command cannot be judged by its text."""
    if not _PROGRAM.search(command):
        return ""
    if _PROGRAM_DECODES.search(command) and _PROGRAM_RUNS.search(command):
        return "runs what it decodes"
    connects = _PROGRAM_CONNECTS.search(command) and not _LOOPBACK.search(command)
    return "reaches the network from within a program" if connects else ""
