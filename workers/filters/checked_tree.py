"""The tree of an expression as the library gives it after its check, and what is bounded in it.

An expression that passed can't run away: its loops are few and not deep, go over lists of a result or of the
expression itself, and inside them nothing is put together that could double in each. The library ends an
evaluation of more than 10,000 steps of all loops together, and its patterns take time linear in the text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory

MOST_NODES = 2000
MOST_LOOPS = 12
DEEPEST_LOOP = 2
MOST_JOINS = 16
MOST_PATTERN = 200
"""Characters of a regular expression."""

JOINS = ("add_string", "add_bytes", "add_list")
REFUSED = {"dyn": "dyn() takes the check of types away; leave it out"}

Field = descriptor_pb2.FieldDescriptorProto
PACKAGE = "cel.expr"

# The parts of cel/expr/syntax.proto and checked.proto that are looked at, by their published numbers.
_MESSAGES: dict[str, dict[str, tuple[int, str]]] = {
    "CheckedExpr": {"expr": (4, "Expr"), "reference_map": (2, "*ReferenceEntry")},
    "ReferenceEntry": {"key": (1, "int64"), "value": (2, "Reference")},
    "Reference": {"name": (1, "string"), "overload_id": (3, "*string")},
    "Expr": {
        "id": (2, "int64"),
        "const_expr": (3, "Constant"),
        "ident_expr": (4, "Ident"),
        "select_expr": (5, "Select"),
        "call_expr": (6, "Call"),
        "list_expr": (7, "List"),
        "struct_expr": (8, "Struct"),
        "comprehension_expr": (9, "Comprehension"),
    },
    "Constant": {"string_value": (6, "string")},
    "Ident": {"name": (1, "string")},
    "Select": {"operand": (1, "Expr"), "field": (2, "string")},
    "Call": {"target": (1, "Expr"), "function": (2, "string"), "args": (3, "*Expr")},
    "List": {"elements": (1, "*Expr")},
    "Struct": {"message_name": (1, "string"), "entries": (2, "*Entry")},
    "Entry": {"map_key": (3, "Expr"), "value": (4, "Expr")},
    "Comprehension": {
        "iter_range": (2, "Expr"),
        "accu_var": (3, "string"),
        "accu_init": (4, "Expr"),
        "loop_condition": (5, "Expr"),
        "loop_step": (6, "Expr"),
        "result": (7, "Expr"),
    },
}


class TooMuchError(ValueError):
    """An expression that could take too long or too much memory."""


@dataclass(slots=True)
class Tree:
    """What an expression consists of.

    Attributes
    ----------
    used
        The fields that are read of each variable.
    whole
        Variables that are used as a whole.
    patterns
        Regular expressions.
    """

    used: dict[str, set[str]] = field(default_factory=dict)
    whole: set[str] = field(default_factory=set)
    patterns: list[str] = field(default_factory=list)
    nodes: int = 0
    loops: int = 0
    joins: int = 0


def tree_of(serialized: bytes, variables: frozenset[str]) -> Tree:
    """Return what a checked expression consists of.

    Parameters
    ----------
    serialized
        As the library gives it.
    variables
        The names that are variables.

    Raises
    ------
    TooMuchError
        Where it has more, or deeper, of anything than is taken.
    """
    packed = any_pb2.Any.FromString(serialized)
    checked = _class("CheckedExpr").FromString(packed.value)
    overloads = {entry.key: tuple(entry.value.overload_id) for entry in checked.reference_map}
    tree = Tree()
    _Walk(tree, overloads, variables).over(checked.expr, 0)
    return tree


class _Walk:
    """Goes over the tree from the root."""

    def __init__(self, tree: Tree, overloads: dict[int, tuple[str, ...]], variables: frozenset[str]) -> None:
        self._tree = tree
        self._overloads = overloads
        self._variables = variables
        self._accumulators: set[str] = set()

    def over(self, expr: Any, loops: int) -> None:
        """Go over an expression that lies in so many loops."""
        self._tree.nodes += 1
        if self._tree.nodes > MOST_NODES:
            raise TooMuchError(f"it has more than {MOST_NODES} parts")
        kind = next((name for name in _MESSAGES["Expr"] if name != "id" and expr.HasField(name)), "")
        if kind == "ident_expr" and expr.ident_expr.name in self._variables:
            self._tree.whole.add(expr.ident_expr.name)
        elif kind == "select_expr":
            self._select(expr.select_expr, loops)
        elif kind == "call_expr":
            self._call(expr, loops)
        elif kind == "list_expr":
            self._all(expr.list_expr.elements, loops)
        elif kind == "struct_expr":
            if expr.struct_expr.message_name:
                raise TooMuchError(f"a record can't be made here: {expr.struct_expr.message_name}")
            self._all((part for e in expr.struct_expr.entries for part in (e.map_key, e.value)), loops)
        elif kind == "comprehension_expr":
            self._loop(expr.comprehension_expr, loops)

    def _all(self, parts: Iterator[Any] | Any, loops: int) -> None:
        for part in parts:
            self.over(part, loops)

    def _select(self, select: Any, loops: int) -> None:
        operand = select.operand
        if operand.HasField("ident_expr") and operand.ident_expr.name in self._variables:
            self._tree.used.setdefault(operand.ident_expr.name, set()).add(select.field)
        else:
            self.over(operand, loops)

    def _call(self, expr: Any, loops: int) -> None:
        call = expr.call_expr
        if call.function in REFUSED:
            raise TooMuchError(REFUSED[call.function])
        overloads = self._overloads.get(expr.id, ())
        if any(overload in JOINS for overload in overloads) and not self._is_of_the_loop(call):
            self._tree.joins += 1
            if loops:
                raise TooMuchError("in a loop nothing may be put together with +, which could double in each")
            if self._tree.joins > MOST_JOINS:
                raise TooMuchError(f"it puts texts or lists together more than {MOST_JOINS} times")
        if call.function == "matches":
            self._pattern(call.args[-1])
        if call.HasField("target"):
            self.over(call.target, loops)
        self._all(call.args, loops)

    def _is_of_the_loop(self, call: Any) -> bool:
        """Whether it is how `map` and `filter` themselves gather what they found."""
        first = call.args[0] if call.args else None
        if first is None or not first.HasField("ident_expr"):
            return False
        return first.ident_expr.name in self._accumulators and call.args[1].HasField("list_expr")

    def _pattern(self, pattern: Any) -> None:
        if not pattern.HasField("const_expr"):
            raise TooMuchError("the regular expression of matches() must be written out")
        text = pattern.const_expr.string_value
        if len(text) > MOST_PATTERN:
            raise TooMuchError(f"a regular expression has {len(text)} characters; {MOST_PATTERN} at most")
        self._tree.patterns.append(text)

    def _loop(self, loop: Any, loops: int) -> None:
        self._tree.loops += 1
        if self._tree.loops > MOST_LOOPS:
            raise TooMuchError(f"it has more than {MOST_LOOPS} loops (exists, all, map, filter)")
        if loops >= DEEPEST_LOOP:
            raise TooMuchError(f"loops lie more than {DEEPEST_LOOP} deep in each other")
        self._accumulators.add(loop.accu_var)
        self._all((loop.iter_range, loop.accu_init), loops)
        self._all((loop.loop_condition, loop.loop_step, loop.result), loops + 1)


def _described() -> descriptor_pool.DescriptorPool:
    scalars = {"int64": Field.TYPE_INT64, "string": Field.TYPE_STRING}
    file = descriptor_pb2.FileDescriptorProto(name="checked.proto", package=PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field_name, (number, kind) in fields.items():
            label = Field.LABEL_REPEATED if kind.startswith("*") else Field.LABEL_OPTIONAL
            kind = kind.removeprefix("*")
            added = message.field.add(name=field_name, number=number, label=label)
            if kind in scalars:
                added.type = scalars[kind]
            else:
                added.type, added.type_name = Field.TYPE_MESSAGE, f".{PACKAGE}.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return pool


_POOL = _described()


def _class(name: str) -> Any:
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"{PACKAGE}.{name}"))
