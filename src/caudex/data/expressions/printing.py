"""Write an expression as infix, in Python's or Maxima's manner, and as LaTeX; `parse_expression` reads all of them."""

from __future__ import annotations

from caudex.data.expressions.trees import Expression

SUM, PRODUCT, POWER, ATOM = range(4)
"""how tightly the outermost operator of a text binds"""
LATEX_FUNCTIONS = {"asin": "\\arcsin", "acos": "\\arccos", "atan": "\\arctan"} | {
    name: f"\\operatorname{{{name}}}" for name in ("asinh", "acosh", "atanh")
}


def to_infix(expression: Expression, power: str = "**") -> str:
    """x*cos(x**2)"""
    return infix_part(expression, power)[0]


def infix_part(expression: Expression, power: str) -> tuple[str, int]:
    if isinstance(expression, int):
        return str(expression), SUM if expression < 0 else ATOM
    if isinstance(expression, str):
        return expression, ATOM
    name, *operands = expression
    parts = [infix_part(operand, power) for operand in operands]
    if name in ("add", "sub"):
        return f"{parts[0][0]} {'+' if name == 'add' else '-'} {wrap(parts[1], PRODUCT)}", SUM
    if name == "mul" and operands[0] == -1:
        return f"-{wrap(parts[1], PRODUCT)}", SUM
    if name in ("mul", "div"):
        text = f"{wrap(parts[0], PRODUCT, operands[0])}{'*' if name == 'mul' else '/'}{wrap(parts[1], POWER)}"
        return text, SUM if text[0] == "-" else PRODUCT
    if name == "pow":
        return f"{wrap(parts[0], ATOM)}{power}{wrap(parts[1], ATOM)}", POWER
    return f"{name}({parts[0][0]})", ATOM


def wrap(part: tuple[str, int], tightness: int, operand: Expression = "") -> str:
    """The text, in parentheses where it binds less tightly; a negative number that begins a product needs none."""
    text, own = part
    leading = isinstance(operand, int) or (isinstance(operand, tuple) and operand[0] in ("mul", "div"))
    return text if own >= tightness or leading else f"({text})"


def to_latex(expression: Expression) -> str:
    """x \\cos\\left(x^{2}\\right)"""
    return latex_part(expression)[0]


def latex_part(expression: Expression) -> tuple[str, int]:
    if isinstance(expression, int):
        return str(expression), SUM if expression < 0 else ATOM
    if isinstance(expression, str):
        return {"pi": "\\pi"}.get(expression, expression), ATOM
    name, *operands = expression
    parts = [latex_part(operand) for operand in operands]
    if name in ("add", "sub"):
        return f"{parts[0][0]} {'+' if name == 'add' else '-'} {wrap_latex(parts[1], PRODUCT)}", SUM
    if name == "div":
        return f"\\frac{{{parts[0][0]}}}{{{parts[1][0]}}}", PRODUCT
    if name == "mul" and operands[0] == -1:
        return f"-{wrap_latex(parts[1], PRODUCT)}", SUM
    if name == "mul":
        left, right = wrap_latex(parts[0], PRODUCT, operands[0]), wrap_latex(parts[1], PRODUCT)
        text = f"{left} \\cdot {right}" if right[0].isdigit() else f"{left} {right}"
        return text, SUM if text[0] == "-" else PRODUCT
    if name == "pow":
        return f"{wrap_latex(parts[0], ATOM)}^{{{parts[1][0]}}}", POWER
    if name == "sqrt":
        return f"\\sqrt{{{parts[0][0]}}}", ATOM
    if name == "exp":
        return f"e^{{{parts[0][0]}}}", POWER
    return f"{LATEX_FUNCTIONS.get(name, chr(92) + name)}\\left({parts[0][0]}\\right)", ATOM


def wrap_latex(part: tuple[str, int], tightness: int, operand: Expression = "") -> str:
    text = wrap(part, tightness, operand)
    return text if text == part[0] else f"\\left({part[0]}\\right)"
