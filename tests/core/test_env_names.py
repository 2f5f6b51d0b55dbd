"""Names of environments: id, arguments and wrappers, there and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caudex.core.env_names import EnvName, parse_env_name, parse_value
from caudex.core.errors import CaudexError


def test_a_name_says_id_arguments_and_wrappers():
    name = parse_env_name("a.b:Maze-v0?size=8&map=x%26y=%7C|mine:flat|mine:slow")
    assert name == EnvName("a.b:Maze-v0", {"size": "8", "map": "x&y=|"}, ("mine:flat", "mine:slow"))
    assert str(name) == "a.b:Maze-v0?size=8&map=x%26y=%7C|mine:flat|mine:slow"
    assert name.values() == {"size": 8, "map": "x&y=|"} and name.modules() == ["a.b", "mine"]
    assert (
        parse_env_name("ALE/Pong-v5") == EnvName("ALE/Pong-v5", {}, ())
        and parse_env_name("CartPole-v1").modules() == []
    )


@given(st.dictionaries(st.from_regex("[a-z]+", fullmatch=True), st.text()))
def test_any_value_survives_in_a_name(arguments):
    assert parse_env_name(str(EnvName("A-v0", arguments, ("m:f",)))).arguments == arguments


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("8", 8), ("0.5", 0.5), ("1e-3", 1e-3), ("true", True), ("False", False), ("null", None), ("8x8", "8x8"), ("'8'", "8"),
        ("[1, 2]", [1, 2]), ("(1, 2)", (1, 2)), ("", ""), ("[" * 10_000, "[" * 10_000), ("-" * 10_000 + "1", "-" * 10_000 + "1"),
    ],
)  # fmt: skip
def test_values_are_written_as_in_json_or_python(text, value):
    parsed = parse_value(text)
    assert (type(parsed), parsed) == (type(value), value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("A-v0?size", "--env-args size: give an argument and its value"), ("A-v0?1=2", "--env-args 1=2: give"),
        ("A-v0|flat", "--wrap flat: give a function or class"), ("A-v0|a:b:c", "--wrap a:b:c: give"),
        ("A-v0|", "--wrap : give"),
    ],
)  # fmt: skip
def test_what_is_no_name_is_refused(name, message):
    with pytest.raises(CaudexError, match=message):
        parse_env_name(name)
