"""The OpenAPI document says what each operation does, takes and gives, with values as they are."""

import re
from collections.abc import Iterator

import pytest

from grove_provider_sync.accounts.schemas import AccountRead
from grove_provider_sync.balances.schemas import BalancesRead
from grove_provider_sync.transactions.schemas import TransactionRead

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def document(app) -> dict:
    return app.openapi()


def operations(document: dict) -> Iterator[tuple[str, dict]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield f"{method.upper()} {path}", operation


def test_each_operation_says_what_it_does_under_a_name_of_its_own(document):
    found = dict(operations(document))
    assert len(found) > 15
    names = [operation["operationId"] for operation in found.values()]
    assert sorted(names) == sorted(set(names))
    for label, operation in found.items():
        assert operation["description"].rstrip().endswith("."), label
        assert operation["tags"], label


def test_each_query_parameter_is_described(document):
    for label, operation in operations(document):
        for parameter in operation.get("parameters", ()):
            if parameter["in"] == "query" and "callback" not in label:
                assert parameter.get("description"), (label, parameter["name"])


def test_each_answer_has_a_form_and_each_error_the_one_of_all(document):
    for label, operation in operations(document):
        for status, answer in operation["responses"].items():
            if status in {"202", "204", "303", "304"}:
                continue
            assert answer["content"], (label, status)
            if status >= "400":
                schema = answer["content"]["application/json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/ErrorAnswer"}, (label, status)


def test_amounts_are_strings_with_an_example_that_is_one(document):
    for shape in (AccountRead, TransactionRead, BalancesRead):
        assert shape.__name__ in document["components"]["schemas"]
    money = re.compile(r"^-?[0-9]+\.[0-9]{2,4}$")
    for shape, names in (
        ("AccountRead", ["balance", "available"]),
        ("TransactionRead", ["amount"]),
        ("BalancePoint", ["balance", "available"]),
    ):
        for name in names:
            field = document["components"]["schemas"][shape]["properties"][name]
            kind = next(iter(field.get("anyOf", [field])))
            assert (kind["type"], kind["pattern"]) == ("string", money.pattern)
            assert money.match(kind["examples"][0])


def test_an_export_is_documented_in_both_formats(document):
    answer = document["paths"]["/api/v1/transactions/export"]["get"]["responses"]["200"]
    assert set(answer["content"]) == {"application/json", "text/csv"}
    header = answer["content"]["text/csv"]["example"].strip().split(",")
    assert header == list(document["components"]["schemas"]["TransactionRead"]["properties"])
