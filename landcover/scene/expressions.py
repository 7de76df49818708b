"""Band maths: an expression of bands as a function of arrays, parsed and never evaluated as code.

The words are numbers, names, ``+ - * / **``, parentheses and the functions of `FUNCTIONS`.
Anything else, such as an attribute, a subscript or a call of another function, is refused.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from landcover.errors import InputError

#: What may be called, and with how many values.
FUNCTIONS: dict[str, tuple[Callable[..., np.ndarray], int]] = {
    "sqrt": (np.sqrt, 1),
    "log": (np.log, 1),
    "exp": (np.exp, 1),
    "abs": (np.abs, 1),
    "minimum": (np.minimum, 2),
    "maximum": (np.maximum, 2),
    "clip": (np.clip, 3),
}
#: Longer texts are no formula, and deep ones would end in Python's own limits.
LONGEST = 500

_BINARY: dict[type[ast.operator], Callable[..., np.ndarray]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_UNARY: dict[type[ast.unaryop], Callable[..., np.ndarray]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
_NAMED = re.compile(r"([A-Za-z_]\w*)\s*=(?!=)(.+)", re.DOTALL)
_WORDS = f"numbers, names of bands, + - * / **, parentheses and {', '.join(FUNCTIONS)}"


@dataclass(frozen=True)
class Expression:
    """A formula of bands.

    Attributes
    ----------
    text : str
        The formula, without blanks.
    names : tuple of str
        The bands that it names, each once, in the order in which they appear.
    function : callable
        Arrays, one a name, to the value of the formula.
    """

    text: str
    names: tuple[str, ...]
    function: Callable[..., np.ndarray]


def is_expression(name: str) -> bool:
    """Whether a name is a formula, and not just the name of a layer.

    >>> is_expression("ratio=nir/red"), is_expression("(B08-B04)/B02"), is_expression("pca:3")
    (True, True, False)
    """
    return bool(re.search(r"[-+*/()=]", name)) and ":" not in name


def own_name(text: str) -> str:
    """The name that stands before a formula; empty where there is none.

    >>> own_name("ratio = nir/red"), own_name("nir/red")
    ('ratio', '')
    """
    named = _NAMED.fullmatch(text.strip())
    return named[1] if named else ""


def parse(text: str) -> Expression:
    """An expression, from its text; a name may stand before it, as in ``ratio=nir/red``.

    Raises
    ------
    InputError
        If it is no formula of `FUNCTIONS` and bands, names no band, or is longer than `LONGEST`.

    Examples
    --------
    >>> ratio = parse("ratio = nir / (red + 0.5)")
    >>> ratio.text, ratio.names
    ('ratio=nir/(red+0.5)', ('nir', 'red'))
    >>> ratio.function(np.array([0.5]), np.array([0.0]))
    array([1.])
    """
    if len(text) > LONGEST:
        raise InputError(
            f"expression {text[:40]}... has {len(text)} characters; give at most {LONGEST}"
        )
    named = _NAMED.fullmatch(text.strip())
    body = named[2] if named else text
    try:
        tree = ast.parse(body.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise InputError(f"expression {text!r} is no formula; it takes {_WORDS}") from None
    if re.search(r"(?<!\w)\d+_", body):  # Python reads 2023_1 as the number 20231
        raise InputError(
            f"expression {text!r} holds a number with _; names of bands begin with a letter"
        )
    names: dict[str, None] = {}
    evaluate = _compiled(tree, text, names)
    if not names:
        raise InputError(f"expression {text!r} names no band; name one, such as B08 or nir")

    def function(*arrays: np.ndarray) -> np.ndarray:
        return evaluate(dict(zip(names, arrays, strict=True)))

    return Expression(re.sub(r"\s+", "", text), tuple(names), function)


_Evaluate = Callable[[Mapping[str, np.ndarray]], np.ndarray]


def _compiled(node: ast.expr, text: str, names: dict[str, None]) -> _Evaluate:
    """What a node of the syntax tree computes of arrays by name; it collects their names."""
    match node:
        case ast.Constant(value=bool() | str() | bytes() | complex() | None):
            pass
        case ast.Constant(value=int() | float() as number):
            if abs(number) <= float(np.finfo(np.float32).max):
                value = np.asarray(number, np.float32)
                return lambda _arrays: value
        case ast.Name(id=name):
            names[name] = None
            return lambda arrays: arrays[name]
        case ast.UnaryOp(op=sign, operand=inner) if type(sign) in _UNARY:
            one, of = _UNARY[type(sign)], _compiled(inner, text, names)
            return lambda arrays: one(of(arrays))
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _BINARY:
            both = _BINARY[type(sign)]
            a, b = _compiled(left, text, names), _compiled(right, text, names)
            return lambda arrays: both(a(arrays), b(arrays))
        case ast.Call(func=ast.Name(id=called), args=inner, keywords=[]) if called in FUNCTIONS:
            function, takes = FUNCTIONS[called]
            if len(inner) == takes:
                parts = [_compiled(part, text, names) for part in inner]
                return lambda arrays: function(*(part(arrays) for part in parts))
            raise InputError(
                f"expression {text!r} gives {called} {len(inner)} values; it takes {takes}"
            )
    refused = ast.unparse(node)
    raise InputError(f"expression {text!r} holds {refused!r}; an expression takes {_WORDS}")
