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


_DANGEROUS: Final = {
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
_RISKY: Final = {
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
    "plans work for later": (_run("crontab|at|systemd-run"),),
    "ends processes by name": (_run("pkill|killall"),),
}
_RULES: Final = tuple(
    (risk, reason, re.compile("|".join(f"(?:{pattern})" for pattern in patterns)))
    for risk, table in ((Risk.DANGEROUS, _DANGEROUS), (Risk.RISKY, _RISKY))
    for reason, patterns in table.items()
)
SEARCHED_CHARACTERS = 20_000


def risk_of(name: str, arguments: dict[str, Any]) -> tuple[Risk, str]:
    """How risky a call is, and why in a few words; the graver rules come first, and the first that fits counts."""
    if name != "bash":
        return Risk.NONE, ""
    command = str(arguments.get("command", ""))[:SEARCHED_CHARACTERS]
    return next(((risk, reason) for risk, reason, rule in _RULES if rule.search(command)), (Risk.NONE, ""))
