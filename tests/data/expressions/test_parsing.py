"""The parser: what it reads, and that nothing else gets through, runs as code or takes long."""

import time

import pytest
from helpers.expressions import EXPRESSIONS, or_none, same_value
from hypothesis import example, given, settings
from hypothesis import strategies as st

from caudex.core.errors import CaudexError
from caudex.data.expressions.normal_form import simplify
from caudex.data.expressions.parsing import NAMES, check_bounds, parse_expression
from caudex.data.expressions.printing import to_infix, to_latex

COS = ("cos", ("pow", "x", 2))


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("x*cos(x**2)", ("mul", "x", COS)),
        ("x cos(x^2)", ("mul", "x", COS)),
        ("-x^2", ("mul", -1, ("pow", "x", 2))),
        ("-2*x", ("mul", -2, "x")),
        ("2^-x", ("pow", 2, ("mul", -1, "x"))),
        ("2^x^3", ("pow", 2, ("pow", "x", 3))),
        ("1-x-2", ("sub", ("sub", 1, "x"), 2)),
        ("1/2x", ("mul", ("div", 1, 2), "x")),
        ("x(x+1)", ("mul", "x", ("add", "x", 1))),
        ("e^x", ("exp", "x")),
        ("e", "e"),
        ("0.25*pi", ("mul", ("div", 1, 4), "pi")),
        ("log(x)", ("ln", "x")),
        ("arctan x", ("atan", "x")),
        ("sin^2(x)", ("pow", ("sin", "x"), 2)),
        ("sin 2x cos x", ("mul", ("sin", ("mul", 2, "x")), ("cos", "x"))),
        (r"\int x \cos x^2 dx", ("mul", "x", COS)),
        (r"$\int x\cos\left(x^{2}\right)\,\mathrm{d}x$", ("mul", "x", COS)),
        (r"\int\frac{dx}{x^{2}+1}", ("div", 1, ("add", ("pow", "x", 2), 1))),
        (r"\frac12 x", ("mul", ("div", 1, 2), "x")),
        (r"\sqrt[3]{x}", ("pow", "x", ("div", 1, 3))),
        (r"\sin^{-1} x", ("asin", "x")),
        (r"e^{-x} \cdot 3", ("mul", ("exp", ("mul", -1, "x")), 3)),
        (r"\operatorname{asinh}(x)", ("asinh", "x")),
    ],
)
def test_readings(text, tree):
    assert parse_expression(text) == tree


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        ("x" * 2001, "has 2,001 characters; at most 2,000"),
        ("y*x", "character 1, 'y': it is none of x"),
        ("x*atn(x)", "character 3, 'atn': .* Did you mean atan[?]$"),
        ("(x", "the end: '[)]' is missing"),
        ("x)", "closing parenthesis has no opening one"),
        ("(x}", "'[)]' is missing"),
        ("x +", "an operand is missing"),
        ("sin()", "an operand is missing"),
        ("x // 2", "an operand is missing"),
        ("x & 1", "character 3, '&'"),
        ("x\u00b2", "character 2"),
        ("1/0", "divide by zero"),
        ("x/(1-1)", "divides? by zero"),
        ("x^(1/0)", "exponent"),
        ("x^101", "exponent is too large"),
        ("9^9^9^9^9", "exponent is too large"),
        ("(((10^15)^99)^99)", "above 1e"),
        ("1" * 31, "more than 30 digits"),
        ("1" * 20 + "*x", "above 1e"),
        ("y' = y/x + 1", "differential equations are not solved yet"),
        (r"\frac{dy}{dx} = x", "differential equations are not solved yet"),
        (r"\int_0^1 x dx", "bounds of an integral"),
        (r"\int x", "dx once, not 0 times"),
        (r"\int x dx dx", "dx once, not 2 times"),
        (r"x^10 \cdot 2", r"write \^\{10\}"),
        (r"\begin{matrix} x \end{matrix}", "it is none of x"),
        (r"\frac{1}", "is missing"),
        (r"\sin^{-1}", "operand is missing"),
        (r"\ln^{-1} x", "ln.-1 is no function here"),
        ("\\", "no such LaTeX"),
        ("(" * 500 + "x" + ")" * 500, "nest deeper than 40"),
        ("sin " * 400 + "x", "nest deeper than 40"),
        ("x^" * 400 + "x", "nest deeper than 40"),
        ("-" * 1900 + "y", "none of x"),
        ("x+" * 900 + "x", "more than 100 operators"),
    ],
)
def test_what_is_no_expression_is_refused_with_its_place(text, sentence):
    with pytest.raises(CaudexError, match=sentence):
        simplify(parse_expression(text))


def test_many_signs_are_no_nesting():
    assert parse_expression("-" * 1999 + "x") == ("mul", -1, "x")


LATEX = [
    "\\int", "\\frac", "\\sqrt", "\\sin", "\\left", "\\right", "dx", "x", "{", "}", "(", ")", "[", "]", "^", "_", "2", "10", "+", "-", "&", "$",
]  # fmt: skip
CODE = [
    "__import__",
    "os",
    "system",
    "lambda",
    "exec",
    "eval",
    "import",
    "open",
    "()",
    ".",
    "[0]",
    "{",
    "}",
    "'",
    '"',
    ";",
    "\n",
    ":",
    "=",
]


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.text(max_size=60),
        st.lists(st.sampled_from([*sorted(NAMES), *CODE, *"0123456789+-*/^(){}[]\\_ "]), max_size=30).map("".join),
        st.lists(
            st.sampled_from(
                [
                    *[
                        "\\int",
                        "\\frac",
                        "\\sqrt",
                        "\\sin",
                        "\\left",
                        "\\right",
                        "dx",
                        "x",
                        "{",
                        "}",
                        "(",
                        ")",
                        "[",
                        "]",
                        "^",
                        "_",
                        "2",
                        "10",
                        "+",
                        "-",
                        "&",
                        "$",
                    ]
                ]
            ),
            max_size=20,
        ).map(" ".join),
    )
)
@example("__import__('os').system('touch hacked')")
@example("().__class__.__bases__[0].__subclasses__()")
@example("x if x else exit()")
@example("{x for x in open('/etc/passwd')}")
@example("\\int \\input{/etc/passwd} dx")
@example("\\write18{ls}")
def test_any_text_is_an_expression_of_ours_or_one_sentence(text):
    start = time.perf_counter()
    tree = or_none(parse_expression, text)
    if tree is not None:
        check_bounds(tree)
        or_none(simplify, tree)
    assert time.perf_counter() - start < 1


@settings(deadline=None)
@given(EXPRESSIONS)
def test_what_is_printed_is_read_as_the_same(tree):
    try:
        simple = simplify(tree)
        check_bounds(simple)
    except CaudexError:
        return
    assert simplify(parse_expression(to_infix(simple))) == simple
    assert simplify(parse_expression("\\int " + to_latex(simple) + " dx")) == simple


@settings(deadline=None)
@given(EXPRESSIONS)
def test_what_is_not_simplified_is_printed_with_its_value(tree):
    for text in (to_infix(tree), to_infix(tree, "^"), "\\int " + to_latex(tree) + " \\, dx"):
        if (read := or_none(parse_expression, text)) is not None:
            assert same_value(tree, read)
