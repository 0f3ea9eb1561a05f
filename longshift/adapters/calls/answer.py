"""Checks a whole answer before it is stored: names, ids, arguments and leaked call syntax.

Blocks keep their order and their bytes wherever they can, because providers demand them back. What a rejection means
for the loop is decided elsewhere.
"""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from longshift.adapters.calls.arguments import FittedArguments, fit_arguments
from longshift.adapters.calls.digest import (
    arguments_hash,
    call_summary,
    one_line,
    reads_of,
    seen_of,
    shown,
    text_hash,
    too_long_to_show,
)
from longshift.adapters.calls.json_text import CUT, parse_json_text
from longshift.adapters.calls.names import LEAKED_TOKEN, stored_name
from longshift.adapters.calls.storable import storable, storage_problem
from longshift.contracts.model import CallDigest, ToolClass
from longshift.contracts.reviews import Autonomy
from longshift.contracts.tools import ASK_HUMAN, DELEGATE, TOOL_ARGUMENTS, TOOL_CLASSES, UPDATE_PLAN, ToolArguments
from longshift.contracts.transcript import Block
from longshift.policy.asking import is_asked_about, needs_approval
from longshift.policy.plan_templates import checks_in
from longshift.policy.risk import risk_of

_MAX_ID_CHARACTERS = 128
_MAX_REJECTION_CHARACTERS = 3_000


@dataclass(frozen=True)
class CheckedAnswer:
    """An answer that is safe to store and to send back."""

    content: tuple[Block, ...]
    calls: tuple[CallDigest, ...] = ()
    rejections: dict[str, str] = field(default_factory=dict[str, str])
    """Call index as text → what was wrong, for the model."""
    leaked: bool = False
    """Call syntax stood in the text: the server failed to parse a call, so the answer is a format error."""


@dataclass(frozen=True)
class _CheckedCall:
    block: Block
    digest: CallDigest
    rejection: str = ""


def check_calls(
    content: tuple[Block, ...],
    raw_inputs: Mapping[int, str],
    offered: Mapping[str, type[ToolArguments]],
    *,
    is_used: Callable[[str], bool] = lambda call_id: False,
    step: int = 0,
    autonomy: Autonomy = Autonomy.FULL,
) -> CheckedAnswer:
    """Check every call of `content`; `raw_inputs` maps a block's index to its arguments as streamed.

    Without raw text for a block, its parsed `input` counts. `is_used` knows the ids of the conversation so far; an id
    that comes again is told apart by `step`. `autonomy` says which calls a person has to let run. Never raises on
    anything that a provider may send.
    """
    kept: list[Block] = []
    calls: list[_CheckedCall] = []
    ids = _CallIds(is_used, max(step, 2))
    leaked = False
    for index, block in enumerate(content):
        if not _is_block(block):
            continue
        if block["type"] == "tool_use":
            call = _check_call(block, raw_inputs.get(index, ""), offered, len(calls), ids, autonomy)
            calls.append(_unless_too_long(call, calls))
            kept.append(call.block)
            continue
        leaked = leaked or _leaks(block)
        if safe := _safe_block(block):
            kept.append(safe)
    return CheckedAnswer(
        content=tuple(kept),
        calls=tuple(call.digest for call in calls),
        rejections={str(call.digest.index): call.rejection for call in calls if call.rejection},
        leaked=leaked,
    )


def parse_arguments(name: str, input: dict[str, Any]) -> ToolArguments:
    """The arguments of a stored call that passed the check; anything else is a bug and raises."""
    return TOOL_ARGUMENTS[name].model_validate(input)


def _is_block(block: object) -> bool:
    return isinstance(block, dict) and isinstance(cast(dict[str, object], block).get("type"), str)


def _leaks(block: Block) -> bool:
    text = block.get("text")
    return block["type"] == "text" and isinstance(text, str) and LEAKED_TOKEN.search(text) is not None


def _safe_block(block: Block) -> Block | None:
    """The block as it came where it can be stored; a text without any text is dropped, as providers refuse it."""
    if storage_problem(block):
        block = storable(block)
    if block["type"] != "text":
        return block
    text = block.get("text")
    if not isinstance(text, str) or not text.strip():
        return None
    if LEAKED_TOKEN.search(text):
        # replayed as they are, these tokens would open a call in the next prompt
        return {**block, "text": LEAKED_TOKEN.sub(lambda match: f"[{match[1] or match[2]}]", text)}
    return block


def _check_call(
    block: Block,
    raw: str,
    offered: Mapping[str, type[ToolArguments]],
    index: int,
    ids: "_CallIds",
    autonomy: Autonomy,
) -> _CheckedCall:
    name = stored_name(block.get("name"), offered)
    call_id = ids.unique(block.get("id"), index)
    value, repaired, problem = _read_input(block, raw)
    fitted, canonical = FittedArguments(problem=problem), dict[str, Any]()
    if name not in offered:
        fitted = FittedArguments(problem=_unknown_tool(name, offered))
    elif not problem:
        fitted = fit_arguments(offered[name], value)
    if fitted.arguments is None or fitted.stored is None:
        rejection = _rejection(name, fitted.problem)
        stored, summary = cast(dict[str, Any], {}), one_line(f"{name}: rejected: {fitted.problem.lstrip('- ')}")
        hashed = text_hash(raw.encode(errors="replace")) if problem else arguments_hash(value)
    else:
        canonical = fitted.arguments.model_dump(mode="json")
        rejection, stored = "", fitted.stored
        summary, hashed = call_summary(name, canonical), arguments_hash(canonical)
    renamed = name != block.get("name")
    digest = CallDigest(
        index=index,
        call_id=call_id,
        name=name,
        tool_class=TOOL_CLASSES.get(name, ToolClass.EFFECT),
        arguments_hash=hashed,
        summary=summary,
        rejected=bool(rejection),
        reads=reads_of(name, canonical) if canonical else "",
        repaired=not rejection and (renamed or repaired or fitted.repaired),
        **(seen_of(fitted.arguments) if fitted.arguments is not None else {}),
    )
    if not rejection:
        digest = _for_people(digest, canonical, autonomy)
    return _CheckedCall(_stored_block(block, call_id, name, stored), digest, rejection)


def _unless_too_long(call: _CheckedCall, earlier: list[_CheckedCall]) -> _CheckedCall:
    """Nobody is asked about what cannot be shown whole: such a call is refused."""
    if not call.digest.needs_approval:
        return call
    before = sum(len(each.digest.shown) for each in earlier if each.digest.needs_approval)
    problem = too_long_to_show(call.digest.shown, before)
    if not problem:
        return call
    digest = call.digest.model_copy(update={"rejected": True, "needs_approval": False, "shown": ""})
    return _CheckedCall(call.block, digest, _rejection(digest.name, problem))


def _for_people(digest: CallDigest, arguments: dict[str, Any], autonomy: Autonomy) -> CallDigest:
    """With what a person has to see of a call, if anything."""
    name = digest.name
    if name == ASK_HUMAN:
        return digest.model_copy(
            update={"shown": shown(name, arguments), "choices": tuple(arguments.get("choices", ()))}
        )
    if name == UPDATE_PLAN and arguments.get("checks"):
        return _with_risk_of_checks(digest, arguments, autonomy)
    if name == DELEGATE:
        return _with_risk_of_plan(digest, arguments, autonomy)
    risk, reason = risk_of(name, arguments)
    needed = needs_approval(autonomy, name, digest.tool_class, risk)
    update = {"risk": risk, "risk_reason": reason, "needs_approval": needed}
    return digest.model_copy(update={**update, "shown": shown(name, arguments) if needed else ""})


def _with_risk_of_checks(digest: CallDigest, arguments: dict[str, Any], autonomy: Autonomy) -> CallDigest:
    """A plan whose checks the runner will run: they are commands, and are asked about as such."""
    judged = [(check, *risk_of("bash", {"command": check["run"]})) for check in arguments["checks"]]
    asked = [each for each in judged if needs_approval(autonomy, "bash", digest.tool_class, each[1])]
    if not asked:
        return digest
    _, risk, reason = asked[0]
    listed = "\n".join(f"{check['name']}: {check['run']}" for check, *_ in asked)
    update = {"risk": risk, "risk_reason": reason, "needs_approval": True}
    return digest.model_copy(update={**update, "shown": shown(digest.name, {"checks": listed})})


def _with_risk_of_plan(digest: CallDigest, arguments: dict[str, Any], autonomy: Autonomy) -> CallDigest:
    """A swarm's plan has a review of its own; but no command in it runs unasked that would not in a plan of one."""
    judged = [(check, *risk_of("bash", {"command": check.run})) for check in checks_in(arguments)]
    asked = [each for each in judged if is_asked_about(autonomy, each[1])]
    if not asked:
        return digest
    _, risk, reason = asked[0]
    listed = "\n".join(f"{check.name}: {check.run}" for check, *_ in asked)
    update = {"risk": risk, "risk_reason": reason, "needs_approval": True}
    return digest.model_copy(update={**update, "shown": shown(digest.name, {"checks": listed})})


def _stored_block(block: Block, call_id: str, name: str, stored: dict[str, Any]) -> Block:
    others = {key: value for key, value in block.items() if key not in ("type", "id", "name", "input")}
    if storage_problem(others):
        others = {}
    return {"type": "tool_use", "id": call_id, "name": name, "input": stored, **others}


def _read_input(block: Block, raw: str) -> tuple[dict[str, Any], bool, str]:
    """The arguments, whether the text was mended, and the problem if they cannot be used."""
    value: object = block.get("input")
    repaired = False
    if raw.strip() not in ("", "{}"):  # some servers send the whole input with the block's start, and no text
        parsed = parse_json_text(raw)
        if parsed.problem:
            return {}, False, _json_problem(parsed.problem)
        value, repaired = parsed.value, parsed.repaired
    elif isinstance(value, str) and value.strip():
        parsed = parse_json_text(value)
        if parsed.problem:
            return {}, False, _json_problem(parsed.problem)
        value, repaired = parsed.value, True
    if value is None or value == "":
        value = {}
    if not isinstance(value, dict):
        return {}, False, f"- arguments: must be a JSON object, not {type(value).__name__}"
    if problem := storage_problem(cast(dict[str, Any], value)):
        return {}, False, f"- arguments: {problem}"
    return cast(dict[str, Any], value), repaired, ""


def _json_problem(problem: str) -> str:
    if problem == CUT:
        return f"- arguments: the JSON is not whole: {problem}. Large content is best split over several calls."
    return f"- arguments: not valid JSON: {problem}"


def _unknown_tool(name: str, offered: Mapping[str, type[ToolArguments]]) -> str:
    close = difflib.get_close_matches(name, sorted(offered), n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    return f"- name: there is no tool {name}.{hint} Tools: {', '.join(sorted(offered))}"


def _rejection(name: str, problem: str) -> str:
    text = f"The call of {name} was not run:\n{problem}\nNothing has changed. Send the whole call again, corrected."
    return text if len(text) <= _MAX_REJECTION_CHARACTERS else f"{text[: _MAX_REJECTION_CHARACTERS - 1]}…"


class _CallIds:
    """Keeps the ids of a request unique: some servers count them anew in every answer."""

    def __init__(self, is_used: Callable[[str], bool], first_number: int) -> None:
        self._is_used = is_used
        self._first_number = first_number
        self._given: set[str] = set()

    def unique(self, given: object, index: int) -> str:
        """`given` as it is where that is possible: ids are opaque, and some models expect their own form back."""
        base = cast(str, storable(given)).strip() if isinstance(given, str) else ""
        if not base:
            base = f"call_{index}"
        if len(base) > _MAX_ID_CHARACTERS:
            base = f"{base[:100]}-{text_hash(base.encode())}"
        call_id, number = base, self._first_number
        while call_id in self._given or self._is_used(call_id):
            call_id, number = f"{base[: _MAX_ID_CHARACTERS - 8]}-{number}", number + 1
        self._given.add(call_id)
        return call_id
