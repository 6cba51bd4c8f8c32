"""Whatever is sent: no route fails, and none answers what it does not document."""

from functools import partial

import pytest
import schemathesis
from hypothesis import strategies as st

from grove.core.ids import new_id
from grove.testing.generated import attack, send, undocumented
from grove.testing.tokens import SCOPES
from grove_provider_sync.models import Account, Connection, Transaction

pytestmark = pytest.mark.integration
EXAMPLES = 5


@pytest.mark.usefixtures("world")
async def test_every_route_answers_as_documented(app, client, issuer):
    headers = issuer.headers(new_id(), scope=f"{SCOPES} providers:revoke")

    async def sender():
        return partial(send, client, headers=headers)

    problems, asked = await undocumented(app, EXAMPLES, sender)
    assert problems == []
    assert asked > 100


GOOD = {
    "account": [str(new_id())],
    "amount_from": ["0", "-9999999999999999.9999"],
    "amount_to": ["9999999999999999.9999", "-0.0001"],
    "category": ["transport", "'; --"],
    "currency": ["EUR"],
    "cursor": [""],
    "date_from": ["0001-01-01", "2026-05-01"],
    "date_to": ["9999-12-31", "2026-06-01"],
    "format": ["csv", "json"],
    "interval": ["day", "week", "month"],
    "q": ["tram", '"a', "-", "or or", "a & | b", "\\", "\U0001f333", "\u202e"],
    "sort": ["amount", "-updated_at,amount"],
    "status": ["pending", "failed"],
}
ODD = ["\0", "\ud800", "1e999", "-0", "NaN", "9" * 400, "٣", "2026-02-30", "10000-01-01", "%", "'"]


async def test_every_query_is_answered_over_what_is_there(app, user, held):
    """The generated ids name nothing; here they name an account with bookings, so that each filter comes to compare."""
    connection = await held(Connection, user_id=user.id)
    account = await held(Account, user_id=user.id, connection_id=connection)
    await held(Transaction, user_id=user.id, connection_id=connection, account_id=account)
    ids = {"account_id": str(account), "connection_id": str(connection)}
    odd = st.sampled_from(ODD) | st.text(max_size=20)
    answers: dict[int, int] = {}
    for found in schemathesis.openapi.from_dict(app.openapi()).get_all_operations():
        operation = found.ok()
        names = [parameter.name for parameter in operation.query]
        if operation.method != "get" or not names or "callback" in operation.path or "admin" in operation.path:
            continue
        path = operation.path.removeprefix("/api/v1").format(**ids)
        good = {name: st.sampled_from(GOOD.get(name, ["1"])) for name in names}
        one = st.one_of(*(st.tuples(st.just(name), st.one_of(each, each, each, odd)) for name, each in good.items()))

        async def ask(query: list[tuple[str, str]], path=path) -> None:
            sent = "&".join(f"{name}={_encoded(value)}" for name, value in query)
            answer = await user.call("GET", f"{path}?{sent}")
            assert answer.status_code in {200, 422}, (sent, answer.text)
            answers[answer.status_code] = answers.get(answer.status_code, 0) + 1

        await attack(st.lists(one, max_size=4), 60, ask)
    assert answers[200] > 50
    assert answers[422] > 50


def _encoded(value: str) -> str:
    return "".join(f"%{byte:02X}" for byte in value.encode(errors="surrogatepass"))
