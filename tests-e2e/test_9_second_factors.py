"""A second factor through the whole suite: set up, asked for, trusted, sent by SMS and mail."""

import asyncio
import re
from pathlib import Path

import httpx2
import pyotp

from grove_stack.demo import newest_mail

PHONE = "+4930123456"


async def call(suite, person, path: str, json: dict | None = None) -> httpx2.Response:
    return await person.client.post(f"{suite.auth}{path}", json=json, headers=person.headers)


async def challenge(suite, person) -> str:
    body = {"email": person.email, "password": "plant trees not walls"}
    answer = await person.client.post(f"{suite.auth}/login", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "MFA_REQUIRED")
    return answer.json()["error"]["details"][0]["mfa_token"]


async def verify(suite, person, token: str, **proof) -> None:
    answer = await person.client.post(f"{suite.auth}/mfa/verify", json={"mfa_token": token} | proof)
    assert answer.status_code == 200, answer.text
    person.tokens = answer.json()


async def test_second_factors_from_the_first_to_the_lost_one(suite, ada, wait_until):
    secret = (await call(suite, ada, "/mfa/totp")).json()["secret"]
    confirmed = await call(suite, ada, "/mfa/totp/confirm", {"code": pyotp.TOTP(secret).now()})
    codes = confirmed.json()["backup_codes"]
    await verify(suite, ada, await challenge(suite, ada), backup_code=codes[0])

    assert (await call(suite, ada, "/mfa/sms", {"phone": PHONE})).status_code == 202
    sandbox = suite.process("sandbox")["address"]
    async with httpx2.AsyncClient(trust_env=False) as outside:

        async def by_sms() -> str:
            messages = (await outside.get(f"http://{sandbox}/sms/messages", params={"to": PHONE})).json()
            return re.findall(r"\d{8}", messages[-1]["text"])[0]

        assert (await call(suite, ada, "/mfa/sms/confirm", {"code": await by_sms()})).status_code == 200
        token = await challenge(suite, ada)
        sent = await ada.client.post(f"{suite.auth}/mfa/challenge", json={"mfa_token": token, "method": "sms"})
        assert sent.status_code == 202
        await verify(suite, ada, token, code=await by_sms(), trust_device=True)
    assert (await ada.login()).tokens, "the browser is trusted"
    assert (await ada.call("GET", "/tasks")).status_code == 200
    ada.client.cookies.clear()

    token = await challenge(suite, ada)
    begun = await ada.client.post(f"{suite.auth}/mfa/recovery", json={"mfa_token": token})
    assert begun.status_code == 202
    found: list[str] = []

    async def mailed() -> bool:
        text = await asyncio.to_thread(newest_mail, Path(suite.file["mail_dir"]), ada.email)
        found.extend(re.findall(r"/cancel-recovery#token=([\w-]+)", text))
        return bool(found)

    await wait_until(mailed, 20)
    page = await ada.client.get(f"{suite.file['portal_url']}/cancel-recovery")
    assert page.status_code == 200
    stopped = await ada.client.post(f"{suite.auth}/mfa/recovery/cancel", json={"token": found[0]})
    assert stopped.status_code == 204

    async def told() -> bool:
        listed = await ada.call("GET", "/notifications?type=MFA_ENABLED")
        return listed.json()["total"] == 2

    await wait_until(told, 20)
