"""Limits of a document, counted before it is validated: what is small enough can't take long."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    IntValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    StringValueNode,
    VariableNode,
    Visitor,
    visit,
)

from grove_resource.graphql.errors import Refused

MAX_SOURCE = 20_000
MAX_TOKENS = 2_000
MAX_COMMENTS = 100
MAX_DEPTH = 10
MAX_ALIASES = 30
MAX_ALIAS = 100
MAX_DIRECTIVES = 30
MAX_FIELDS = 200
MAX_FRAGMENTS = 50
MAX_COST = 2_000
MUTATION_COST = 50
PAGE_COST = 20
MAX_FIRST = 100
DEFAULT_FIRST = 20
_INTROSPECTION = frozenset({"__schema", "__type"})


class _Counter(Visitor):
    """Counts what a document has, wherever it is."""

    def __init__(self) -> None:
        super().__init__()
        self.fields = self.aliases = self.directives = self.fragments = 0

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        self.fields += 1
        self.aliases += node.alias is not None
        if node.alias and len(node.alias.value) > MAX_ALIAS:  # it would be answered for each row
            raise Refused(GraphQLError(f"An alias may have {MAX_ALIAS} characters.", node))

    def enter_directive(self, *_: Any) -> None:
        self.directives += 1

    def enter_fragment_spread(self, *_: Any) -> None:
        self.fragments += 1

    def enter_inline_fragment(self, *_: Any) -> None:
        self.fragments += 1

    def enter_string_value(self, node: StringValueNode, *_: Any) -> None:
        if "\0" in node.value:
            raise Refused(GraphQLError("NUL characters are not allowed.", node))


def check_size(document: DocumentNode) -> None:
    """Raises Refused for a document that is too large in some way."""
    counter = _Counter()
    visit(document, counter)
    for name, count, limit in (
        ("fields", counter.fields, MAX_FIELDS),
        ("aliases", counter.aliases, MAX_ALIASES),
        ("directives", counter.directives, MAX_DIRECTIVES),
        ("fragments", counter.fragments, MAX_FRAGMENTS),
    ):
        if count > limit:
            raise Refused(GraphQLError(f"The document has {count} {name}; {limit} are allowed."))
    fragments = fragments_of(document)
    depths: dict[str, int] = {}
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            deepest = _depth(definition.selection_set, fragments, depths)
            if deepest > MAX_DEPTH:
                raise Refused(
                    GraphQLError(f"The operation is {deepest} levels deep; {MAX_DEPTH} are allowed.", definition)
                )


def fragments_of(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    """The document's fragments by name."""
    return {each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)}


def _depth(
    selections: SelectionSetNode | None, fragments: Mapping[str, FragmentDefinitionNode], depths: dict[str, int]
) -> int:
    """How many fields lie in one another. A fragment that holds itself is refused later, and ends here."""
    deepest = 0
    for node in selections.selections if selections else ():
        if isinstance(node, FragmentSpreadNode):
            name = node.name.value
            if name not in depths and name in fragments:
                depths[name] = 0
                depths[name] = _depth(fragments[name].selection_set, fragments, depths)
            deepest = max(deepest, depths.get(name, 0))
        elif isinstance(node, FieldNode):
            inside = 0 if node.name.value in _INTROSPECTION else _depth(node.selection_set, fragments, depths)
            deepest = max(deepest, 1 + inside)
        else:
            deepest = max(deepest, _depth(getattr(node, "selection_set", None), fragments, depths))
    return deepest


@dataclass(slots=True)
class Cost:
    """What an operation of a valid document may take: each field counts 1, what is in a page counts for each of its
    rows; at the root a page counts PAGE_COST, and a change MUTATION_COST more.
    """

    pages: frozenset[str]
    """Names of the fields that are pages."""
    fragments: Mapping[str, FragmentDefinitionNode]
    operation: OperationDefinitionNode
    variables: Mapping[str, Any]
    _known: dict[tuple[str, bool], int] = field(default_factory=dict)
    """Of fragments, so that one that is spread everywhere is walked once."""

    def check(self) -> None:
        """Raises Refused."""
        cost = self.count()
        if cost > MAX_COST:
            raise Refused(
                GraphQLError(
                    f"The operation costs {cost}; {MAX_COST} is allowed. Ask for fewer fields or rows.", self.operation
                )
            )

    def count(self) -> int:
        """The cost."""
        return self._of(self.operation.selection_set, root=True)

    def _of(self, selections: SelectionSetNode | None, *, root: bool = False) -> int:
        cost = 0
        for node in selections.selections if selections else ():
            if isinstance(node, FragmentSpreadNode):
                known = node.name.value, root
                if known not in self._known:
                    self._known[known] = self._of(self.fragments[node.name.value].selection_set, root=root)
                cost += self._known[known]
            elif isinstance(node, FieldNode):
                cost += self._itself(node, root=root) + self._rows(node) * self._of(node.selection_set)
            else:
                cost += self._of(getattr(node, "selection_set", None), root=root)
        return cost

    def _itself(self, node: FieldNode, *, root: bool) -> int:
        if root and self.operation.operation is OperationType.MUTATION:
            return 1 + MUTATION_COST
        return PAGE_COST if root and node.name.value in self.pages else 1

    def _rows(self, node: FieldNode) -> int:
        if node.name.value not in self.pages:
            return 1
        given = next((argument.value for argument in node.arguments or () if argument.name.value == "first"), None)
        if isinstance(given, VariableNode):
            first = self._variable(given.name.value)
        else:
            first = int(given.value) if isinstance(given, IntValueNode) else DEFAULT_FIRST
        return min(max(first, 1), MAX_FIRST)

    def _variable(self, name: str) -> int:
        if name in self.variables:
            value = self.variables[name]
            return value if isinstance(value, int) else MAX_FIRST
        for definition in self.operation.variable_definitions or ():
            if definition.variable.name.value == name and isinstance(definition.default_value, IntValueNode):
                return int(definition.default_value.value)
        return DEFAULT_FIRST
