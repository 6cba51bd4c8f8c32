"""Sign-in through an outside issuer, as a browser takes it: through the edge, to the issuer, and back to the app."""

from urllib.parse import urlsplit

import httpx2
import pytest

from grove.core.ids import new_id
from grove.testing.social import query


class Browser:
    """Follows redirects and keeps cookies, until it is back at the app."""

    def __init__(self, suite, client: httpx2.AsyncClient) -> None:
        self.client = client
        self.app = f"{suite.file['portal_url']}/"
        self.oauth = f"{suite.auth}/oauth"

    async def consent(self, url: str, login: str) -> dict[str, str]:
        """Open an authorization URL as that person; what the app is told in the end."""
        asked = httpx2.QueryParams(urlsplit(url).query).set("login_hint", login)
        there = await self.client.get(url, params=asked)
        assert there.status_code == 303, there.text
        came = await self.client.get(there.headers["location"])
        assert came.status_code == 303, came.text
        assert came.headers["location"].startswith(f"{self.app}?")
        return query(came.headers["location"])

    async def sign_in(self, login: str) -> dict[str, str]:
        begun = await self.client.get(f"{self.oauth}/sandbox/authorize", params={"redirect_uri": self.app})
        assert begun.status_code == 303, begun.text
        return await self.consent(begun.headers["location"], login)


@pytest.fixture
def browser(suite, client) -> Browser:
    return Browser(suite, client)


async def test_a_person_of_the_issuer_signs_in_and_works(suite, browser, ada, wait_until):
    told = await browser.sign_in(f"{new_id().hex[-12:]}@grove.example")
    answer = await browser.client.post(f"{browser.oauth}/exchange", json={"code": told["code"]})
    assert answer.status_code == 200, answer.text
    ada.tokens = answer.json()
    task = (await ada.call("POST", "/tasks", json={"title": "Plant a tree"})).json()

    async def notified() -> bool:
        return await ada.notified_tasks() == [task["id"]]

    await wait_until(notified, 20)
    again = await browser.client.post(f"{browser.oauth}/exchange", json={"code": told["code"]})
    assert again.status_code == 410


async def test_an_account_is_opened_by_its_address_only_once_it_is_linked(suite, browser, ada):
    assert (await browser.sign_in(ada.email))["error"] == "account_exists"
    asked = await ada.client.post(
        f"{browser.oauth}/sandbox/link", json={"redirect_uri": browser.app}, headers=ada.headers
    )
    assert asked.status_code == 200, asked.text
    assert await browser.consent(asked.json()["authorization_url"], ada.email) == {"linked": "sandbox"}
    told = await browser.sign_in(ada.email)
    answer = await browser.client.post(f"{browser.oauth}/exchange", json={"code": told["code"]})
    headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    me = (await browser.client.get(f"{suite.auth}/me", headers=headers)).json()
    assert me["email"] == ada.email
    assert (await browser.client.delete(f"{suite.auth}/identities/sandbox", headers=headers)).status_code == 204
    assert (await browser.sign_in(ada.email))["error"] == "account_exists"


async def test_another_browser_can_not_finish(suite, browser):
    begun = await browser.client.get(f"{browser.oauth}/sandbox/authorize", params={"redirect_uri": browser.app})
    there = await browser.client.get(begun.headers["location"])
    async with suite.client() as other:
        assert (await other.get(there.headers["location"])).status_code == 403
