"""Mails through the whole suite: ended by one click, searched by operators, sent though workers are killed."""

import asyncio
import mailbox
import os
import re
import signal
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest


@pytest.fixture
def mails_to(suite):
    """All mails to an address, as they arrived."""

    def read(address: str) -> list[EmailMessage]:
        folder = Path(suite.file["mail_dir"])
        found = [mail for mail in mailbox.Maildir(folder, create=False) if address in str(mail["To"])]
        return [message_from_bytes(bytes(mail), policy=policy.default) for mail in found]

    async def mails_to(address: str, template: str = "") -> list[EmailMessage]:
        found = await asyncio.to_thread(read, address)
        return [mail for mail in found if template in str(mail["Subject"])]

    return mails_to


async def share(owner, with_whom) -> str:
    """A task that is shared; its id."""
    task = (await owner.call("POST", "/tasks", json={"title": "Plant an oak"})).json()["id"]
    body = {"email": with_whom.email, "role": "viewer"}
    assert (await owner.call("POST", f"/tasks/{task}/shares", json=body)).status_code == 202
    return task


async def test_a_notice_is_mailed_in_its_readers_language_until_one_click(
    suite, client, ada, bob, mails_to, wait_until
):
    german = await client.patch(f"{suite.auth}/me", json={"locale": "de"}, headers=bob.headers)
    assert german.status_code == 200

    async def in_german() -> bool:
        task = await share(ada, bob)

        async def told() -> bool:
            return task in await bob.notified_tasks("TASK_SHARED")

        await wait_until(told, 15)
        return bool(await mails_to(bob.email, "geteilt"))

    await wait_until(in_german, 30)
    mail = (await mails_to(bob.email, "geteilt"))[-1]
    assert mail["Content-Language"] == "de"
    text = mail.get_body(("plain",)).get_content()
    assert "Plant an oak" in text
    page, fragment = re.findall(r"(https://\S+/unsubscribe)#(token=\S+)", text)[0]
    assert (await client.get(page)).status_code == 200
    assert page == f"{suite.file['portal_url']}/unsubscribe"
    url = str(mail["List-Unsubscribe"]).strip(" <>")
    assert url == f"{suite.api}/notification-preferences/unsubscribe?{fragment}"
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    opened = await client.get(url)  # a scanner, or a mail program that opens it
    assert (opened.status_code, opened.headers["location"]) == (303, f"{page}#{fragment}")
    unchanged = (await bob.call("GET", "/notification-preferences")).json()["types"]["TASK_SHARED"]
    assert unchanged["email"] is True
    clicked = await client.post(url, data={"List-Unsubscribe": "One-Click"}, headers={"Origin": "https://mail.example"})
    assert clicked.status_code == 204, clicked.text
    chosen = (await bob.call("GET", "/notification-preferences")).json()["types"]["TASK_SHARED"]
    assert (chosen["email"], chosen["in_app"]) == (False, True)

    async def all_gone() -> bool:
        items = (await bob.call("GET", "/emails")).json()["items"]
        return not [item for item in items if item["status"] == "queued"]

    await wait_until(all_gone, 15)
    before = len(await mails_to(bob.email))
    task = await share(ada, bob)

    async def told() -> bool:
        return task in await bob.notified_tasks("TASK_SHARED")

    await wait_until(told, 15)
    listed = (await bob.call("GET", "/emails", params={"cursor": ""})).json()["items"]
    assert len(await mails_to(bob.email)) == before
    assert len(listed) == before, "that of the registration too"
    assert {each["status"] for each in listed} == {"sent"}
    assert {each["template"] for each in listed} >= {"verify_email", "welcome", "notification"}


async def test_operators_search_and_see_how_mails_look(suite, client, ada):
    answer = await client.post(f"{suite.auth}/login", json=suite.file["admin"])
    admin = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    url = f"{suite.api}/admin/notification"
    found = (await client.get(f"{url}/emails", params={"address": ada.email}, headers=admin)).json()["items"]
    assert {each["template"] for each in found} >= {"verify_email"}
    assert all(each["masked"].startswith(f"{ada.email[0]}•••@") for each in found)
    gone = await client.post(f"{url}/emails/{found[0]['id']}/resend", headers=admin)
    assert (gone.status_code, gone.json()["error"]["code"]) == (400, "INVALID_STATE")
    for locale, subject in (("en", "Confirm your address"), ("de", "Bestätigen Sie Ihre E-Mail-Adresse")):
        shown = await client.get(f"{url}/templates/verify_email", params={"locale": locale}, headers=admin)
        assert (shown.status_code, shown.json()["subject"]) == (200, subject)
    for path in ("/emails", "/templates"):
        assert (await client.get(url + path, headers=ada.headers)).status_code == 403
    assert (
        await client.post(f"{url}/emails/resend", json={"status": "failed"}, headers=ada.headers)
    ).status_code == 403


async def test_workers_killed_in_the_middle_lose_no_mail_and_name_doubled_ones_the_same(
    suite, ada, bob, mails_to, wait_until
):
    async def kill() -> None:
        for _ in range(3):
            await asyncio.sleep(0.3)
            for process in suite.processes("notification-worker"):
                os.kill(process["pid"], signal.SIGKILL)

    killing = asyncio.create_task(kill())
    tasks = {await share(ada, bob) for _ in range(15)}
    await killing

    async def all_told() -> bool:
        return tasks <= set(await bob.notified_tasks("TASK_SHARED"))

    async def ids() -> list[list[str]]:
        """The different ids that each notice arrived with: other mails may arrive meanwhile."""
        listed = (await bob.call("GET", "/emails", params={"size": 100})).json()["items"]
        arrived = {str(mail["Message-ID"]) for mail in await mails_to(bob.email)}
        notices = [each["id"] for each in listed if each["template"] == "notification"]
        return [[each for each in arrived if each.startswith(f"<{notice}@")] for notice in notices]

    async def all_mailed() -> bool:
        return all(await ids())

    await wait_until(all_told, 60)
    await wait_until(all_mailed, 75)  # those in hand are nobody else's until their leases end, after 30 s
    assert [len(each) for each in await ids()] == [1] * 15
