"""Webhooks of the sandbox bank: who is believed, and what they say."""

from datetime import UTC, datetime, timedelta

import pytest

from grove.core.clock import now
from grove.core.errors import UpstreamError
from grove_provider_sync.providers.interface import NoticeRefused

pytestmark = pytest.mark.integration


async def made(link, **told) -> tuple[dict[str, str], bytes]:
    answer = (await link.world.post(f"{link.control}/webhook", json=told)).json()
    return answer["headers"], answer["body"].encode()


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        ("transactions.changed", "news"),
        ("consent.withdrawn", "withdrawn"),
        ("consent.ends_soon", "ends_soon"),
        ("access.refused", "refused"),
        ("access.repaired", "repaired"),
    ],
)
async def test_what_the_bank_tells(link, told, kind):
    headers, body = await made(link, type=told, consent_ends_at="2027-01-02T03:04:05Z", seconds_ago=60)
    [notice] = await link.provider.notices(headers, body)
    assert (notice.external_id, notice.kind) == (link.customer, kind)
    assert notice.ends_at == datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert timedelta(seconds=50) < now() - notice.written_at < timedelta(seconds=120)


async def test_only_what_is_signed_and_fresh_is_believed(link):
    headers, body = await made(link, type="transactions.changed")
    signature = headers["webhook-signature"]
    forged = [
        (headers | {"webhook-id": "msg_other"}, body),
        (headers | {"webhook-timestamp": "no time"}, body),
        (headers | {"webhook-timestamp": "9" * 30}, body),
        (headers | {"webhook-signature": "v1,AAAA"}, body),
        (headers | {"webhook-signature": "nonsense"}, body),
        (headers | {"webhook-signature": "v1,é"}, body),
        (headers | {"webhook-signature": signature.replace("v1,", "v2,")}, body),
        ({name: value for name, value in headers.items() if name != "webhook-signature"}, body),
        (headers, body + b" "),
        (headers, b"\xff"),
        await made(link, type="transactions.changed", seconds_ago=301),
        await made(link, type="transactions.changed", seconds_ago=-360),
    ]
    for wrong in forged:
        with pytest.raises(NoticeRefused):
            await link.provider.notices(*wrong)
    assert await link.provider.notices(headers | {"webhook-signature": f"v1,AAAA {signature}"}, body)


async def test_a_secret_that_was_rotated_is_read_anew(link, rotated):
    headers, body = await made(link, type="transactions.changed")
    rotated("whsec_bmV3IHNlY3JldCBvZiB0aGUgYmFuaw==")  # pragma: allowlist secret
    with pytest.raises(NoticeRefused):
        await link.provider.notices(headers, body)


async def test_what_is_signed_and_not_known_says_nothing_and_another_form_is_refused(link, rotated):
    from standardwebhooks import Webhook

    secret = "whsec_bmV3IHNlY3JldCBvZiB0aGUgYmFuaw=="  # pragma: allowlist secret
    rotated(secret)

    def signed(body: str) -> tuple[dict[str, str], bytes]:
        moment = datetime.now(UTC)
        signature = Webhook(secret).sign("msg_1", moment, body)
        stamp = str(int(moment.timestamp()))
        return {"webhook-id": "msg_1", "webhook-timestamp": stamp, "webhook-signature": signature}, body.encode()

    unknown = '{"type": "cards.lost", "customer_id": "ada", "at": "2026-11-30T10:00:00Z"}'
    assert await link.provider.notices(*signed(unknown)) == ()
    for other in ("[]", "{", '{"type": "cards.lost", "at": "2026-11-30T10:00:00Z"}'):
        with pytest.raises(UpstreamError):
            await link.provider.notices(*signed(other))
