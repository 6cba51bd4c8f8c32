"""Text that PostgreSQL does not take, wherever it is in a request: told to the client, never an error of ours."""

import json

import pytest

from grove.core.ids import new_id

pytestmark = pytest.mark.integration

LOG = "mutation ($input: LogMomentInput!) { logMoment(input: $input) { moment { data } } }"
TASK = "mutation ($input: CreateTaskInput!) { createTask(input: $input) { task { title } } }"
FIND = "query ($input: [DataFilter!]) { moments(data: $input) { edges { cursor } } }"
TYPES = ["application/json", "application/JSON", "Application/Json; charset=UTF-8"]
TEXTS = ["\\u0000", "a\\u0000b", "\\ud800", "\\uDfff", "\\ud83d\\ud83d\\ude00"]


@pytest.fixture
def send(client, me):
    async def send(query: str, variables: str, content_type: str = TYPES[0], encoding: str = "utf-8"):
        body = f'{{"query": {json.dumps(query)}, "variables": {{"input": {variables}}}}}'
        return await client.post("/graphql", content=body.encode(encoding), headers=me | {"Content-Type": content_type})

    return send


@pytest.fixture
async def activity(data):
    made = await data(
        'mutation { createActivity(input: {name: "Running", dataSchema: {type: "object"}}) { activity { uuid } } }'
    )
    return made["createActivity"]["activity"]["uuid"]


def assert_told(answer):
    assert answer.status_code in {400, 422}, answer.text
    assert "INTERNAL_ERROR" not in answer.text


@pytest.mark.parametrize("content_type", TYPES)
@pytest.mark.parametrize("text", TEXTS)
async def test_in_variables(send, activity, text, content_type):
    moment = f'"activityId": "{activity}", "occurredAt": "2026-05-01T07:30:00Z"'
    for query, variables in (
        (LOG, f'{{{moment}, "data": {{"a": "{text}"}}}}'),
        (LOG, f'{{{moment}, "data": {{"{text}": 1}}}}'),
        (LOG, f'{{{moment}, "data": {{"a": [{{"b": "{text}"}}]}}}}'),
        (TASK, f'{{"title": "{text}"}}'),
        (TASK, f'{{"title": "A", "{text}": 1}}'),
        (FIND, f'[{{"path": "{text}", "equals": "1"}}]'),
        (FIND, f'[{{"path": "a", "equals": "{text}"}}]'),
    ):
        assert_told(await send(query, variables, content_type))


@pytest.mark.parametrize("text", TEXTS)
async def test_in_the_document_and_the_name_of_the_operation(client, me, activity, text):
    given = f'activityId: "{activity}", occurredAt: "2026-05-01T07:30:00Z"'
    for document in (
        f'mutation {{ logMoment(input: {{{given}, data: {{a: "{text}"}}}}) {{ moment {{ data }} }} }}',
        f'mutation {{ createTask(input: {{title: "{text}"}}) {{ task {{ title }} }} }}',
        f'{{ task(id: "{new_id()}") {{ {text} }} }}',
    ):
        for query in (json.dumps(document), json.dumps(document).replace("\\\\u", "\\u")):
            assert_told(await client.post("/graphql", content=f'{{"query": {query}}}', headers=json_of(me)))
    body = f'{{"query": "{{ __typename }}", "operationName": "{text}"}}'
    assert_told(await client.post("/graphql", content=body, headers=json_of(me)))


def json_of(headers):
    return headers | {"Content-Type": "application/json"}


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
async def test_json_in_another_encoding(send, encoding):
    for text in ("plain", *TEXTS):
        assert_told(await send(TASK, f'{{"title": "{text}"}}', encoding=encoding))


@pytest.mark.parametrize("text", TEXTS)
async def test_behind_a_byte_order_mark(send, text):
    assert_told(await send(TASK, f'{{"title": "{text}"}}', encoding="utf-8-sig"))


@pytest.mark.parametrize("content_type", TYPES)
async def test_nesting_without_end(send, activity, content_type):
    for deep in ("[" * 5_000 + "]" * 5_000, '{"a":' * 5_000 + "1" + "}" * 5_000):
        given = f'{{"activityId": "{activity}", "occurredAt": "2026-05-01T07:30:00Z", "data": {{"a": {deep}}}}}'
        assert_told(await send(LOG, given, content_type))


async def test_text_that_only_looks_odd_is_taken(send, activity):
    text = "\\\\u0000 \\\\ud800 \\ud83d\\ude00 \\u0001"
    given = f'{{"activityId": "{activity}", "occurredAt": "2026-05-01T07:30:00Z", "data": {{"a": "{text}"}}}}'
    answer = await send(LOG, given)
    assert answer.json() == {"data": {"logMoment": {"moment": {"data": {"a": "\\u0000 \\ud800 😀 \x01"}}}}}
