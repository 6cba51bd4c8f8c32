"""Codes by SMS and mail: to whom they go, how often, what they are good for, and what happens when none can be sent."""

import asyncio
import re
from datetime import timedelta

import httpx2
import pytest
from pydantic import SecretStr

from grove.core.clock import now
from grove.core.errors import ServiceUnavailable
from grove.web.client import HttpClient
from grove_auth.mfa.sms import HttpSms
from grove_auth.settings import AuthSettings
from grove_sandbox.app import create_app
from grove_sandbox.settings import SandboxSettings

pytestmark = pytest.mark.integration
AUTH = "/api/v1/auth"
PASSWORD = "plant trees not walls"
PHONE = "+4930123456"


class Phones:
    """The sandbox as the gateway that takes SMS."""

    def __init__(self, settings) -> None:
        token = settings.secrets.read("sms_token")
        self.app = create_app(SandboxSettings(sms_token=SecretStr(token)))
        self.http = httpx2.AsyncClient(transport=httpx2.ASGITransport(self.app), base_url="http://sms")
        self.sender = HttpSms(settings, HttpClient("the SMS gateway", self.http))

    async def sent(self, to: str = PHONE) -> list[str]:
        return [message["text"] for message in (await self.http.get("/sms/messages", params={"to": to})).json()]

    async def code(self, to: str = PHONE) -> str:
        return re.findall(r"\d{8}", (await self.sent(to))[-1])[0]

    def fail(self, times: int, status: int = 503) -> None:
        from grove_sandbox.faults import Fault

        self.app.state.faults.active[:] = [Fault(path="/sms", status=status, times=times)]


@pytest.fixture
async def phones(settings, resources, monkeypatch):
    phones = Phones(settings)
    monkeypatch.setattr(resources, "sms", phones.sender)
    yield phones
    await phones.sender.aclose()


async def call(person, path: str, json: dict | None = None, method: str = "POST"):
    return await person.client.request(method, f"{AUTH}{path}", json=json, headers=person.headers)


async def challenge(person) -> tuple[str, list[str]]:
    [detail] = (await person.login()).json()["error"]["details"]
    return detail["mfa_token"], detail["methods"]


async def ask(person, token: str, method: str) -> int:
    asked = {"mfa_token": token, "method": method}
    return (await person.client.post(f"{AUTH}/mfa/challenge", json=asked)).status_code


async def verify(person, token: str, code: str):
    return await person.client.post(f"{AUTH}/mfa/verify", json={"mfa_token": token, "code": code})


async def mailed(outside) -> str:
    mail = (await outside.mails())[-1]
    assert mail["template"] == "mfa_code"
    return mail["variables"]["code"]


@pytest.fixture
async def texted(ada, phones):
    """Ada with codes by SMS."""
    assert (await call(ada, "/mfa/sms", {"phone": "+49 30 123456"})).status_code == 202
    confirmed = await call(ada, "/mfa/sms/confirm", {"code": await phones.code()})
    assert (confirmed.status_code, len(confirmed.json()["backup_codes"])) == (200, 10)
    return ada


async def test_a_phone_is_enrolled_with_a_code_and_signs_in_with_another(texted, phones, resources):
    token, methods = await challenge(texted)
    assert methods == ["sms", "backup_code"]
    assert await ask(texted, token, "sms") == 202
    done = await verify(texted, token, await phones.code())
    assert done.status_code == 200
    session = await resources.database["sessions"].find_one({"_id": done.json()["session_id"]})
    assert session["amr"] == ["pwd", "sms", "mfa"]
    [stored] = await resources.database["second_factors"].find({}).to_list()
    assert PHONE not in str(stored)


@pytest.mark.parametrize("phone", ["030 123456", "+4912", "+49 30 123456; +1", "tel", "+999123456789"])
async def test_what_is_no_number_is_refused(ada, phones, phone):
    assert (await call(ada, "/mfa/sms", {"phone": phone})).status_code == 422
    assert await phones.sent() == []


async def test_mail_codes_sign_in_once(ada, outside):
    enabled = await call(ada, "/mfa/email")
    assert (enabled.status_code, len(enabled.json()["backup_codes"])) == (200, 10)
    token, methods = await challenge(ada)
    assert methods == ["email", "backup_code"]
    assert await ask(ada, token, "email") == 202
    code = await mailed(outside)
    assert re.fullmatch(r"\d{8}", code)
    assert (await outside.mails())[-1]["to"] == ada.email
    answers = await asyncio.gather(*(verify(ada, token, code) for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 4


async def test_a_code_is_good_for_its_own_sign_in_only(ada, outside, resources):
    await call(ada, "/mfa/email")
    (first, _), (second, _) = await challenge(ada), await challenge(ada)
    assert await ask(ada, first, "email") == 202
    code = await mailed(outside)
    assert (await verify(ada, second, code)).status_code == 401
    proof = {"password": PASSWORD, "code": code}
    assert (await call(ada, "/reauthenticate", proof)).status_code == 401
    [stored] = await resources.database["sent_codes"].find({}).to_list()
    assert code not in str(stored)
    assert (await verify(ada, first, code)).status_code == 200


async def test_a_newer_code_takes_the_place_of_the_older_and_three_are_enough(ada, outside):
    await call(ada, "/mfa/email")
    token, _ = await challenge(ada)
    answers = await asyncio.gather(*(ask(ada, token, "email") for _ in range(8)))
    assert sorted(answers) == [202] * 3 + [429] * 5
    codes = [mail["variables"]["code"] for mail in await outside.mails() if mail["template"] == "mfa_code"]
    assert len(codes) == 3
    results = [(await verify(ada, token, code)).status_code for code in codes]
    assert sorted(results) == [200, 401, 401]


async def test_an_expired_code_is_refused_before_it_is_swept(ada, outside, resources):
    await call(ada, "/mfa/email")
    token, _ = await challenge(ada)
    await ask(ada, token, "email")
    past = {"$set": {"expires_at": now() - timedelta(seconds=1)}}
    await resources.database["sent_codes"].update_many({}, past)
    assert (await verify(ada, token, await mailed(outside))).status_code == 401
    assert await ask(ada, token, "email") == 202
    assert (await verify(ada, token, await mailed(outside))).status_code == 200


async def test_a_code_has_five_tries(texted, phones, resources):
    assert (await call(texted, "/mfa/sms", {"phone": "+4930654321"})).status_code == 401, "prove the factor first"
    await resources.database["sessions"].update_many({}, {"$set": {"amr": ["pwd", "sms", "mfa"]}})
    assert (await call(texted, "/mfa/sms", {"phone": "+4930654321"})).status_code == 202
    code = await phones.code("+4930654321")
    wrong = f"{(int(code) + 1) % 10**8:08}"
    tries = [(await call(texted, "/mfa/sms/confirm", {"code": wrong})).status_code for _ in range(5)]
    assert tries == [401] * 5
    assert (await call(texted, "/mfa/sms/confirm", {"code": code})).status_code == 401


async def test_what_is_not_on_is_not_sent(ada, outside, phones):
    await call(ada, "/mfa/email")
    token, _ = await challenge(ada)
    mails = len(await outside.mails())
    assert await ask(ada, token, "sms") == 400
    assert await ask(ada, "not a token", "email") == 401
    assert await ask(ada, token, "totp") == 422
    assert (len(await outside.mails()), await phones.sent()) == (mails, [])


async def test_without_a_gateway_there_is_no_sms(texted, resources, monkeypatch):
    monkeypatch.setattr(resources, "sms", None)
    token, methods = await challenge(texted)
    assert methods == ["backup_code"]
    assert await ask(texted, token, "sms") == 400


async def test_a_gateway_that_stumbles_is_tried_again_and_one_that_is_down_is_said_to_be(texted, phones):
    token, _ = await challenge(texted)
    before = len(await phones.sent())
    phones.fail(1)
    assert await ask(texted, token, "sms") == 202
    assert len(await phones.sent()) == before + 1
    for _ in range(4):  # not sent, so not counted among the three
        phones.fail(10)
        answer = await texted.client.post(f"{AUTH}/mfa/challenge", json={"mfa_token": token, "method": "sms"})
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
        phones.app.state.faults.active.clear()
        phones.sender._client._breaker.succeeded()
    assert await ask(texted, token, "sms") == 202
    assert (await verify(texted, token, await phones.code())).status_code == 200


async def test_a_gateway_that_refuses_is_not_asked_again(phones):
    phones.fail(3, status=400)
    with pytest.raises(ServiceUnavailable):
        await phones.sender.send(PHONE, "hello")
    assert phones.app.state.faults.active[0].times == 2


async def test_proving_again_takes_a_code_by_sms(texted, phones):
    assert (await call(texted, "/reauthenticate/challenge", {"method": "email"})).status_code == 400
    assert (await call(texted, "/reauthenticate/challenge", {"method": "sms"})).status_code == 202
    proof = {"password": PASSWORD, "code": await phones.code()}
    assert (await call(texted, "/reauthenticate", proof)).status_code == 200
    assert (await call(texted, "/reauthenticate", proof)).status_code == 401


def test_a_gateway_needs_its_secret(stores, settings, tmp_path):
    for secret in settings.secrets_dir.iterdir():
        if secret.name != "sms_token":
            (tmp_path / secret.name).write_bytes(secret.read_bytes())
    with pytest.raises(ValueError, match="SMS_URL needs it"):
        stores.settings(AuthSettings, secrets_dir=tmp_path)
    assert stores.settings(AuthSettings, secrets_dir=tmp_path, sms_url="").sms_url == ""
