"""Expressions of the claims' YAML: arithmetic over named values, and nothing else of Python.

Python's `ast` parses the text; only the node types and functions listed here are known, and each is computed by this
module. Nothing is compiled or evaluated by the interpreter.

    mean median min max std sum count all any   over the last axis: checkpoints or rows if there are any, else seeds
    first last                                  at the first or last checkpoint or row
    at_seed(value, 7)                           the run of seed 7
    abs exp log sqrt                            entry by entry; exp of nats is perplexity, log of it nats; log of a
                                                number of things: nats, the entropy of an even choice among them
    posted(claim_id)                            the number that the post gives in that claim
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np

from postproof.claims.quantity import Quantity, combine, elementwise, power, same_unit, scalar, square_root
from postproof.claims.strict import one_of, shown, text
from postproof.core.errors import ClaimError
from postproof.core.units import ONE, Unit

LONGEST = 500  # characters; far above any claim, far below what makes the parser recurse too deep

NATS, PERPLEXITY = Unit.parse("nats"), Unit.parse("perplexity")


def _std(data: np.ndarray, axis: int) -> np.ndarray:
    if data.shape[axis] < 2:
        raise ClaimError("a standard deviation needs two values at least", value=data.shape[axis])
    return np.std(data, axis=axis, ddof=1)


def _count(value: Quantity) -> Quantity:
    """How many are true; of numbers, how many there are."""
    return value.reduce(lambda data, axis: np.sum(data if value.boolean else np.ones_like(data), axis, float), ONE)


def _map_unit(name: str, function: Callable, *units: tuple[Unit, Unit]) -> Callable[[Quantity], Quantity]:
    def apply(value: Quantity) -> Quantity:
        for unit, result in units:
            if value.number().unit == unit:
                return elementwise(function, value, result)
        allowed = ", ".join(str(unit) for unit, _ in units)
        raise ClaimError(f"no {name} of this unit", value=value.unit, allowed=allowed)

    return apply


def _log(value: Quantity) -> Quantity:
    if value.number().unit.counts:
        return elementwise(np.log, value, NATS)
    return _map_unit("logarithm", np.log, (ONE, ONE), (PERPLEXITY, NATS))(value)


def _reduction(function: Callable) -> Callable[[Quantity], Quantity]:
    return lambda value: value.number().reduce(function)


FUNCTIONS: dict[str, Callable[[Quantity], Quantity]] = {
    "mean": _reduction(np.mean),
    "median": _reduction(np.median),
    "min": _reduction(np.min),
    "max": _reduction(np.max),
    "std": _reduction(_std),
    "sum": _reduction(np.sum),
    "count": _count,
    "all": lambda value: value.truth().reduce(np.all),
    "any": lambda value: value.truth().reduce(np.any),
    "first": lambda value: value.pick_in_order(0),
    "last": lambda value: value.pick_in_order(-1),
    "abs": lambda value: elementwise(np.abs, value.number(), value.unit),
    "exp": _map_unit("exponential", np.exp, (ONE, ONE), (NATS, PERPLEXITY)),
    "log": _log,
    "sqrt": square_root,
}
SPECIAL = ("at_seed", "posted")  # their arguments are not all values
RESERVED = (*FUNCTIONS, *SPECIAL)

_ARITHMETIC: dict[type, Callable[[Quantity, Quantity], Quantity]] = {
    ast.Add: lambda left, right: combine(np.add, left, right, same_unit(left, right)),
    ast.Sub: lambda left, right: combine(np.subtract, left, right, same_unit(left, right)),
    ast.Mult: lambda left, right: combine(np.multiply, left, right, left.number().unit * right.number().unit),
    ast.Div: lambda left, right: combine(np.divide, left, right, left.number().unit / right.number().unit),
    ast.Pow: power,
}
_COMPARISONS: dict[type, Callable] = {
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
    ast.GtE: operator.ge, ast.Eq: operator.eq, ast.NotEq: operator.ne,
}  # fmt: skip
_LOGIC: dict[type, Callable] = {ast.And: np.logical_and, ast.Or: np.logical_or}


@dataclass(frozen=True)
class Expression:
    """A checked expression: its text, its tree, and the values and claims that it names, in order."""

    text: str
    tree: ast.expr
    values: tuple[str, ...]
    claims: tuple[str, ...]


def parse(source: object, values: Collection[str], claims: Collection[str]) -> Expression:
    """Checks that `source` is an expression over `values` and the posted numbers of `claims`.

    Raises ClaimError for other syntax, an unknown name or a function's wrong arguments.
    """
    source = text(source)
    if len(source) > LONGEST:
        raise ClaimError("expression is too long", value=shown(source), allowed=f"{LONGEST} characters")
    try:
        tree = ast.parse(source, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ClaimError("not an expression", value=shown(source)) from error
    found: dict[str, list[str]] = {"values": [], "claims": []}

    def check(node: ast.AST) -> None:
        match node:
            case ast.Constant(value=value) if type(value) in (int, float):
                pass
            case ast.Name(id=name):
                found["values"].append(one_of(name, values, "value"))
            case ast.UnaryOp(op=ast.USub() | ast.Not(), operand=operand):
                check(operand)
            case ast.BinOp(op=op, left=left, right=right) if type(op) in _ARITHMETIC:
                check(left), check(right)
            case ast.BoolOp(values=operands):
                for operand in operands:
                    check(operand)
            case ast.Compare(left=left, ops=ops, comparators=others) if all(type(op) in _COMPARISONS for op in ops):
                for operand in (left, *others):
                    check(operand)
            case ast.Call(func=ast.Name(id="posted"), args=[ast.Name(id=name)], keywords=[]):
                found["claims"].append(one_of(name, claims, "claim"))
            case ast.Call(func=ast.Name(id="at_seed"), args=[value, ast.Constant(value=int())], keywords=[]):
                check(value)
            case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name not in SPECIAL:
                one_of(name, RESERVED, "function")
                check(argument)
            case _:
                raise ClaimError(
                    "not allowed in an expression",
                    value=shown(ast.unparse(node)),
                    allowed="names, numbers, + - * / **, comparisons, and/or/not, at_seed(value, 7), "
                    f"posted(claim_id), and of one value: {', '.join(FUNCTIONS)}",
                )

    check(tree)
    return Expression(source, tree, *(tuple(dict.fromkeys(names)) for names in found.values()))


def renamed(expression: Expression, text: str, names: Mapping[str, str]) -> Expression:
    """The same with `text` as what was written, and values under the names that they are looked up by."""

    class Renaming(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.Name:
            return ast.Name(names.get(node.id, node.id))

    values = tuple(names.get(name, name) for name in expression.values)
    return Expression(text, Renaming().visit(expression.tree), values, expression.claims)


def evaluate(expression: Expression, value: Callable[[str], Quantity], posted: Callable[[str], Quantity]) -> Quantity:
    """The expression's quantity; `value` and `posted` look a name up.

    Raises ClaimError when units, axes or kinds do not fit, or when a result is not finite.
    """

    def of(node: ast.AST) -> Quantity:
        match node:
            case ast.Constant(value=number):
                return scalar(_float(number))
            case ast.Name(id=name):
                return value(name)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                operand = of(operand).number()
                return elementwise(np.negative, operand, operand.unit)
            case ast.UnaryOp(operand=operand):
                return elementwise(np.logical_not, of(operand).truth(), ONE)
            case ast.BinOp(op=op, left=left, right=right):
                return _ARITHMETIC[type(op)](of(left), of(right))
            case ast.BoolOp(op=op, values=operands):
                return reduce(lambda left, right: _both(_LOGIC[type(op)], left, right), map(of, operands))
            case ast.Compare(left=left, ops=ops, comparators=others):
                nodes = [left, *others]
                terms = list(map(of, nodes))
                links = [_compare(op, *pair) for op, pair in zip(ops, _with_zeros(nodes, terms), strict=True)]
                return reduce(lambda first, second: _both(np.logical_and, first, second), links)
            case ast.Call(func=ast.Name(id="posted"), args=[ast.Name(id=name)]):
                return posted(name)
            case ast.Call(func=ast.Name(id="at_seed"), args=[argument, ast.Constant(value=seed)]):
                return of(argument).at_seed(seed)
            case ast.Call(func=ast.Name(id=name), args=[argument]):
                return FUNCTIONS[name](of(argument))
        raise AssertionError(f"parse() let {ast.dump(node)} through")

    return of(expression.tree)


def _with_zeros(nodes: list[ast.expr], terms: list[Quantity]) -> list[tuple[Quantity, Quantity]]:
    """The terms in pairs of neighbours. A literal 0 gets the unit of its neighbour: nothing is nothing in any unit."""

    def fitted(index: int, neighbour: Quantity) -> Quantity:
        zero = isinstance(nodes[index], ast.Constant) and nodes[index].value == 0
        return replace(terms[index], unit=neighbour.unit) if zero and not neighbour.boolean else terms[index]

    return [(fitted(i, terms[i + 1]), fitted(i + 1, terms[i])) for i in range(len(terms) - 1)]


def _compare(op: ast.cmpop, left: Quantity, right: Quantity) -> Quantity:
    same_unit(left, right)
    return combine(_COMPARISONS[type(op)], left, right, ONE)


def _both(function: Callable, left: Quantity, right: Quantity) -> Quantity:
    return combine(function, left.truth(), right.truth(), ONE)


def _float(number: int | float) -> float:
    try:
        return float(number)
    except OverflowError as error:
        raise ClaimError("number is too large", value=shown(str(number))) from error
