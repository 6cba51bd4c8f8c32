"""Documents, read and validated once: the same few come again and again."""

import asyncio
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLObjectType,
    GraphQLSchema,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    OperationType,
    parse,
    specified_rules,
    validate,
)

from grove_resource.graphql.errors import Refused
from grove_resource.graphql.limits import MAX_COMMENTS, MAX_SOURCE, MAX_TOKENS, Cost, check_size, fragments_of
from grove_resource.graphql.protocol import GraphQLRequest

_MAX_ERRORS = 10
KEPT_CHARACTERS = 200_000
_THREADS = 2


class _Kept:
    """The documents that were used last, by their source: a character of it can stand for hundreds of bytes."""

    def __init__(self) -> None:
        self._by_source: OrderedDict[str, DocumentNode] = OrderedDict()
        self._characters = 0

    def get(self, source: str) -> DocumentNode | None:
        """The document, used just now."""
        if source in self._by_source:
            self._by_source.move_to_end(source)
        return self._by_source.get(source)

    def keep(self, source: str, document: DocumentNode) -> None:
        """Keep it in the place of others."""
        if source not in self._by_source:
            self._characters += len(source)
        self._by_source[source] = document
        while self._characters > KEPT_CHARACTERS:
            self._characters -= len(self._by_source.popitem(last=False)[0])


@dataclass(frozen=True, slots=True)
class Prepared:
    """A document that may be executed. `changes`: whether its operation is a mutation."""

    document: DocumentNode
    changes: bool


class Documents:
    """Turns requests into documents that may be executed."""

    def __init__(self, schema: GraphQLSchema, *, introspection: bool) -> None:
        self._schema = schema
        self._introspection = introspection
        self._rules = specified_rules if introspection else (*specified_rules, NoSchemaIntrospectionCustomRule)
        self._kept = _Kept()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="graphql")
        self._pages = frozenset(
            name
            for kind in schema.type_map.values()
            if isinstance(kind, GraphQLObjectType)
            for name, found in kind.fields.items()
            if "first" in found.args
        )

    async def prepare(self, request: GraphQLRequest) -> Prepared:
        """The request's document. Raises Refused when it can't be read, is not valid or exceeds a limit."""
        document = self._kept.get(request.query)
        if document is None:
            # Validation compares fields with one another: a large document takes tens of milliseconds.
            document = await asyncio.get_running_loop().run_in_executor(self._threads, self._valid, request.query)
            self._kept.keep(request.query, document)
        operation = _operation(document, request.operation_name)
        Cost(self._pages, fragments_of(document), operation, request.variables).check()
        return Prepared(document, operation.operation is OperationType.MUTATION)

    def _valid(self, source: str) -> DocumentNode:
        try:
            document = parse(
                source, max_lexical_tokens=MAX_TOKENS, max_comments=MAX_COMMENTS, max_source_length=MAX_SOURCE
            )
        except GraphQLError as error:
            raise Refused(error) from None
        check_size(document)
        errors = validate(
            self._schema, document, self._rules, max_errors=_MAX_ERRORS, hide_suggestions=not self._introspection
        )
        if errors:
            raise Refused(*errors)
        return document


def _operation(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    """The operation to execute. Raises Refused."""
    found = [
        each
        for each in document.definitions
        if isinstance(each, OperationDefinitionNode) and (name is None or (each.name and each.name.value == name))
    ]
    if len(found) == 1:
        return found[0]
    if found:
        raise Refused(GraphQLError("`operationName` must say which of the operations is meant."))
    raise Refused(GraphQLError("There is no such operation in the document."))
