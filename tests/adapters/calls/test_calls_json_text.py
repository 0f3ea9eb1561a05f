"""Which damage in JSON text is mended, and that what is ambiguous is not."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longshift.adapters.calls.json_text import CUT, JsonText, parse_json_text

VALUES = st.dictionaries(
    st.text(max_size=8),
    st.recursive(st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=12), st.lists, max_leaves=5),
    max_size=4,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": [1, 2,],}', {"a": [1, 2]}),
        ("{'a': 'it\\'s', 'b': True, 'c': None}", {"a": "it's", "b": True, "c": None}),
        ("{'a': 'say \"hi\", then: \"bye\"'}", {"a": 'say "hi", then: "bye"'}),
        ('{"a": "line\nnext\ttab\n"}', {"a": "line\nnext\ttab\n"}),
        ('```json\n{"a": 1}\n```', {"a": 1}),
        ('<|tool_call_argument_begin|>{"a": 1}<|tool_call_end|>', {"a": 1}),
        ('{"a": 1}}', {"a": 1}),
        ('{"a": 1}</parameter> I\'ll go on', {"a": 1}),
        ('"{\\"a\\": 1}"', {"a": 1}),
        ('\ufeff{"a": 1}', {"a": 1}),
        ('{"a": "# x // y /* z */ ```\n", }', {"a": "# x // y /* z */ ```\n"}),
        ('{"a": "\\"q\\"\n",}', {"a": '"q"\n'}),
    ],
)
def test_damage_with_one_reading_is_mended(text: str, value: Any) -> None:
    assert JsonText(value=value, repaired=True) == parse_json_text(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null x",
        '{"a": "grep "foo" file"}',
        '{"content": "say "}" now", "b": 1}',
        '{"a": 1}{"a": 2}',
        '{"a": 1, "a": 2}',
        '{"a": 1 "b": 2}',
        '{"a": "\\d"}',
        "{'a': 'don't', 'b': 'can't'}",
        "{a: 1}",
        '{"a": NaN}',
        '{"a": 1]',
        "ls -la",
        '{"a": ' + "9" * 5_000 + "}",
    ],
)
def test_damage_with_several_readings_is_refused(text: str) -> None:
    parsed = parse_json_text(text)
    assert parsed.problem
    assert parsed.value is None


@given(VALUES)
def test_strict_json_is_never_changed(value: dict[str, Any]) -> None:
    assert JsonText(value=value) == parse_json_text(json.dumps(value))


@given(VALUES)
def test_python_syntax_reads_as_the_value_it_was_written_from(value: dict[str, Any]) -> None:
    parsed = parse_json_text(repr(value))
    assert parsed.problem or value == parsed.value


@given(VALUES, st.data())
def test_no_proper_beginning_of_an_object_is_ever_accepted(value: dict[str, Any], data: st.DataObject) -> None:
    text = json.dumps(value)
    cut = text[: data.draw(st.integers(1, len(text) - 1))]
    assert parse_json_text(cut).problem == CUT


@given(st.text(max_size=200) | st.text("{}[]:,\"'\\ \nabu0d8", max_size=60))
def test_any_text_gives_a_value_or_a_problem(text: str) -> None:
    parsed = parse_json_text(text)
    assert (parsed.value is None) or not parsed.problem


def test_a_key_that_occurs_twice_among_very_many_is_found_in_one_pass() -> None:
    members = ",".join(f'"k{number}":1' for number in range(100_000))
    assert not parse_json_text(f'{{{members},"k99999":1}}').problem
    assert "'k0' occurs twice" in parse_json_text(f'{{{members},"k0":2}}').problem
