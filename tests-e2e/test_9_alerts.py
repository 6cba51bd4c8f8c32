"""An address that a thief changed, taken back by its owner, all by mails as they arrive."""

import asyncio
import re
from pathlib import Path

from grove_stack.demo import newest_mail

NEW = "water them every evening"


async def test_an_address_is_changed_and_taken_back_by_mail(suite, ada, wait_until):
    old, thief = ada.email, ada.email.replace("@", ".thief@")
    portal = suite.file["portal_url"]

    async def mailed(to: str, page: str) -> str:
        """The token of the newest mail, and the page that it links to is there."""
        found: list[str] = []

        async def arrived() -> bool:
            text = await asyncio.to_thread(newest_mail, Path(suite.file["mail_dir"]), to)
            found.extend(re.findall(rf"/{page}#token=([\w-]+)", text))
            return bool(found)

        await wait_until(arrived, 20)
        assert (await ada.client.get(f"{portal}/{page}")).status_code == 200
        return found[0]

    async def send(path: str, body: dict[str, str]) -> int:
        return (await ada.client.post(f"{suite.auth}/{path}", json=body, headers=ada.headers)).status_code

    assert await send("change-email", {"new_email": thief}) == 202
    assert await send("change-email/confirm", {"token": await mailed(thief, "change-email")}) == 204
    assert (await ada.call("GET", "/tasks")).status_code == 200, "sessions go on"

    async def told() -> bool:
        return (await ada.call("GET", "/notifications?type=EMAIL_CHANGED")).json()["total"] == 1

    await wait_until(told, 20)
    undo = await mailed(old, "undo-email-change")
    assert await send("change-email/undo", {"token": undo}) == 204

    async def out() -> bool:
        return (await ada.call("GET", "/tasks")).status_code == 401

    await wait_until(out, 5)
    signed_in = await ada.client.post(f"{suite.auth}/login", json={"email": old, "password": "plant trees not walls"})
    assert (signed_in.status_code, signed_in.json()["error"]["code"]) == (403, "PASSWORD_EXPIRED")
    reset = await mailed(old, "reset-password")
    assert await send("reset-password", {"token": reset, "new_password": NEW}) == 204
    signed_in = await ada.client.post(f"{suite.auth}/login", json={"email": old, "password": NEW})
    assert signed_in.status_code == 200
    ada.tokens = signed_in.json()
    token = await mailed(old, "not-me")
    assert await send("security/not-me", {"token": token}) == 204
    await wait_until(out, 5)
