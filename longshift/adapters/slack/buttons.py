"""What a button of a question carries: the decision it stands for, and of what people saw. No secrets, no commands."""

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from longshift.adapters.slack import limits
from longshift.adapters.slack.text import cut, one_line
from longshift.contracts.reviews import Option, OptionStyle, Review

Block = dict[str, Any]
Read = TypeVar("Read", bound="Choice")

DECIDE = "longshift-decide"
"""How the action ids of buttons begin that decide at once."""
WRITE = "longshift-write"
"""And of those that ask for words first."""
FORM = "longshift-form"
"""The callback id of the form for words."""
WORDS_BLOCK, WORDS_ACTION = "words", "words"


class Choice(BaseModel):
    """The value of a button."""

    model_config = ConfigDict(frozen=True)

    task_id: str = Field(alias="t", max_length=100)
    review_id: str = Field(alias="r", max_length=200)
    shown_hash: str = Field(alias="h", max_length=64)
    option: str = Field(alias="o", max_length=60)


class Form(Choice):
    """What a form carries on to its submission."""

    channel: str = Field(default="", alias="c", max_length=40)
    thread: str = Field(default="", alias="s", max_length=40)


def choice_of(value: str) -> Choice | None:
    """The decision that a button's value names; None if it is none of ours."""
    return _read(Choice, value)


def form_of(value: str) -> Form | None:
    """What a form was opened for; None if it is none of ours."""
    return _read(Form, value)


def _read(kind: type[Read], value: str) -> Read | None:
    try:
        return kind.model_validate_json(value)
    except ValidationError:
        return None


def value_of(choice: Choice) -> str:
    """A button's value, or a form's metadata."""
    return choice.model_dump_json(by_alias=True)


def buttons_of(task_id: str, review: Review) -> list[Block]:
    """A button for each option."""
    options = review.ask.options[: limits.ELEMENTS_PER_ACTIONS]
    return [_button(task_id, review, option, index) for index, option in enumerate(options)]


def _button(task_id: str, review: Review, option: Option, index: int) -> Block:
    choice = Choice(t=task_id, r=review.ask.id, h=review.shown_hash, o=option.id)
    label = cut(one_line(option.label), limits.BUTTON_CHARACTERS - 1) or option.id
    words = option.needs_text and not label.endswith("…")
    button: Block = {
        "type": "button",
        "action_id": f"{WRITE if option.needs_text else DECIDE}-{index}",
        "text": {
            "type": "plain_text",
            "text": label + ("…" if words else ""),
            "emoji": True,
        },
        "value": value_of(choice),
    }
    return button if option.style is OptionStyle.PLAIN else {**button, "style": option.style.value}


def form(choice: Form, label: str, question: str) -> Block:
    """The form that asks for the words of a decision."""
    field: Block = {
        "type": "plain_text_input",
        "action_id": WORDS_ACTION,
        "multiline": True,
        "max_length": limits.INPUT_CHARACTERS,
        "focus_on_load": True,
    }
    shown = cut(question, limits.SECTION_CHARACTERS)
    return {
        "type": "modal",
        "callback_id": FORM,
        "private_metadata": value_of(choice),
        "title": _plain("Reply"),
        "submit": _plain("Send"),
        "close": _plain("Not now"),
        "blocks": [
            *([{"type": "section", "text": _plain(shown)}] if shown.strip() else []),
            {"type": "input", "block_id": WORDS_BLOCK, "label": _plain(cut(label, 200) or "Words"), "element": field},
        ],
    }


def _plain(text: str) -> Block:
    return {"type": "plain_text", "text": text, "emoji": False}
