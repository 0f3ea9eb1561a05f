"""Text in Slack's own markup: what comes from outside is escaped, and cut where Slack takes no more."""

import re
from datetime import UTC, datetime

CUT = " … (shortened)"
_USER = re.compile(r"([UW][A-Z0-9]{5,})\b")
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def escaped(text: str) -> str:
    """Nothing in it can name a person, a channel or a link."""
    return "".join(_ESCAPES.get(each, each) for each in _printable(text))


def cut(text: str, limit: int) -> str:
    """At most `limit` characters, with a word on it where something is missing."""
    text = _printable(text)
    return text if len(text) <= limit else text[: max(0, limit - len(CUT))] + CUT[:limit]


def cut_escaped(text: str, limit: int) -> str:
    """Escaped, and at most `limit` characters after that."""
    text = _printable(text)
    if len(escaped(text)) <= limit:
        return escaped(text)
    room, parts = limit - len(CUT), list[str]()
    for each in text:
        part = _ESCAPES.get(each, each)
        room -= len(part)
        if room < 0:
            break
        parts.append(part)
    return "".join(parts) + CUT[:limit]


def one_line(text: str) -> str:
    """Without line breaks."""
    return " ".join(text.split())


def quoted(text: str, limit: int) -> str:
    """As a quotation, escaped."""
    lines = text.strip().splitlines()
    marks = 2 * len(lines)
    return "\n".join(f"> {each}" for each in cut_escaped("\n".join(lines), max(20, limit - marks)).split("\n"))


def moment(seconds: float) -> str:
    """A time that each reader sees in their own zone."""
    plain = f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"
    return f"<!date^{int(seconds)}^{{date_short_pretty}} {{time}}|{plain}>"


def person(by: str) -> str:
    """Who decided: a user of Slack as a mention, anybody else as text."""
    found = _USER.match(by)
    return f"<@{found[1]}>" if found else cut_escaped(one_line(by) or "somebody", 100)


def link(url: str, label: str) -> str:
    """A link; what would end it is encoded."""
    safe = url.replace("&", "&amp;").replace("<", "%3C").replace(">", "%3E").replace("|", "%7C")
    return f"<{safe}|{escaped(label)}>"


def said(text: str) -> str:
    """What a person wrote, without Slack's own marks: links as their address, `&`, `<` and `>` as themselves."""
    plain = re.sub(r"<((?:https?|mailto):[^|>]+)(?:\|[^>]*)?>", r"\1", text)
    return plain.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _printable(text: str) -> str:
    """Without what no message can carry: control characters and halves of surrogate pairs."""
    return "".join(each for each in text if each in "\n\t" or (each >= " " and not "\ud800" <= each <= "\udfff"))
