"""The channel as a page, roughly as Slack would show it, with buttons that work."""

import html
import re
from typing import Any

from longshift.adapters.fake_slack.workspace import NAMES, Posted, Workspace

STYLE = """
body{font:15px/1.46 Lato,"Noto Sans","DejaVu Sans",sans-serif;color:#1d1c1d;background:#fff;margin:0}
main{max-width:760px;padding:16px 20px}.m{display:flex;gap:10px;padding:8px 0}.m.reply{margin-left:46px}
.a{flex:none;width:36px;height:36px;border-radius:6px;background:#4a154b;color:#fff;font-weight:700;display:flex;
align-items:center;justify-content:center}.a.p{background:#1264a3}.b{min-width:0;flex:1}.n{font-weight:700}
.app{background:#e8e8e8;color:#616061;font-size:10px;padding:1px 3px;border-radius:2px;margin:0 6px}
.t,.c{color:#616061;font-size:12px}.h{font-size:18px;font-weight:800;margin:4px 0}.s{margin:6px 0;white-space:pre-wrap;
overflow-wrap:anywhere}.c{margin:6px 0;overflow-wrap:anywhere}.actions{margin:8px 0;display:flex;gap:8px;flex-wrap:wrap}
.actions form{margin:0}button{font:700 13px/1 inherit;font-family:inherit;padding:9px 12px;border:1px solid #bbb;
border-radius:4px;background:#fff;color:#1d1c1d}button.primary{background:#007a5a;border-color:#007a5a;color:#fff}
button.danger{border-color:#e01e5a;color:#e01e5a}blockquote{margin:2px 0;padding:0 10px;border-left:4px solid #ddd}
code{color:#c01343;background:#f6f6f6;border:1px solid #e3e3e3;border-radius:3px;padding:1px 3px;font-size:12px;
font-family:"DejaVu Sans Mono",monospace}.plan{border:1px solid #ddd;border-radius:8px;padding:8px 12px;margin:8px 0}
.plan b{display:block;margin-bottom:4px}.task{display:flex;gap:8px;padding:2px 0}.task i{font-style:normal;width:16px;
color:#007a5a}.pending{color:#616061}.user,.date{background:#fdf5dc}.user{color:#1264a3}.e{color:#616061;font-size:12px}
"""
TASK_MARKS = {"complete": "✓", "in_progress": "◐", "pending": "○", "error": "✗"}


def page(workspace: Workspace, only_thread: str = "") -> str:
    """All messages, threads below their roots; with `only_thread` that one alone."""
    shown: list[str] = []
    for root in workspace.roots():
        if only_thread and root.ts != only_thread:
            continue
        shown.append(_message(root))
        shown += [_message(each, is_reply=True) for each in workspace.thread(root.ts)]
        shown.append(
            f'<form class="m reply" method="post" action="/reply"><input type="hidden" name="ts" value="{root.ts}">'
            '<input name="text" size="60" placeholder="Reply in the thread"><button>Send</button></form>'
        )
    whispers = [
        f'<p class="e">Only {_name(each.user)} sees this: {_markup(each.text)}</p>' for each in workspace.whispers
    ]
    body = "".join([*shown, *whispers]) or "<p>Nothing has been posted yet.</p>"
    return f'<!doctype html><meta charset="utf-8"><title>#longshift</title><style>{STYLE}</style><main>{body}</main>'


def _name(user: str) -> str:
    return html.escape(NAMES.get(user, user))


def _message(message: Posted, *, is_reply: bool = False) -> str:
    is_app = bool(message.bot_id)
    blocks = (
        "".join(_block(message, each) for each in message.blocks) or f'<div class="s">{_markup(message.text)}</div>'
    )
    edited = ' <span class="t">(edited)</span>' if message.edits else ""
    badge = '<span class="app">APP</span>' if is_app else " "
    name = _name(message.user)
    return (
        f'<div class="m{" reply" if is_reply else ""}" id="m{message.ts}"><div class="a{"" if is_app else " p"}">'
        f'{name[:1]}</div><div class="b"><span class="n">{name}</span>{badge}{blocks}{edited}</div></div>'
    )


def _block(message: Posted, block: dict[str, Any]) -> str:
    match block["type"]:
        case "header":
            return f'<div class="h">{html.escape(block["text"]["text"])}</div>'
        case "section":
            return f'<div class="s">{_text(block["text"])}</div>'
        case "context":
            return f'<div class="c">{" ".join(_text(each) for each in block["elements"])}</div>'
        case "actions":
            return f'<div class="actions">{"".join(_button(message, each) for each in block["elements"])}</div>'
        case "plan":
            tasks = "".join(
                f'<div class="task {each["status"]}"><i>{TASK_MARKS[each["status"]]}</i>'
                f"<span>{html.escape(each['title'])}</span></div>"
                for each in block["tasks"]
            )
            return f'<div class="plan"><b>{html.escape(block["title"])}</b>{tasks}</div>'
        case _:
            return "<hr>"


def _button(message: Posted, button: dict[str, Any]) -> str:
    hidden = "".join(
        f'<input type="hidden" name="{name}" value="{html.escape(value)}">'
        for name, value in (("ts", message.ts), ("action_id", button["action_id"]))
    )
    label = html.escape(button["text"]["text"])
    style = html.escape(button.get("style", ""))
    return f'<form method="post" action="/click">{hidden}<button class="{style}">{label}</button></form>'


def _text(text: dict[str, Any]) -> str:
    return html.escape(text["text"]) if text["type"] == "plain_text" else _markup(text["text"])


def _markup(text: str) -> str:
    """Slack's markup, whose `&`, `<` and `>` come escaped."""
    shown = re.sub(r"<!date\^\d+\^[^|>]*\|([^>]*)>", r'<span class="date">\1</span>', text)
    shown = re.sub(r"<@(\w+)>", lambda found: f'<span class="user">@{_name(found[1])}</span>', shown)
    shown = re.sub(r"<(https?://[^|>]+)\|([^>]*)>", r'<a href="\1">\2</a>', shown)
    shown = re.sub(r"`([^`\n]+)`", r"<code>\1</code>", shown)
    shown = re.sub(r"(?<![\w*])\*([^*\n]+)\*(?![\w*])", r"<b>\1</b>", shown)
    shown = re.sub(r"(?<![\w_])_([^_\n]+)_(?![\w_])", r"<i>\1</i>", shown)
    shown = re.sub(r"(?m)^(?:&gt;|>) ?(.*)$", r"<blockquote>\1</blockquote>", shown)
    return shown.replace("</blockquote>\n<blockquote>", "<br>")
