"""GitHub: OAuth without OpenID Connect, so the person is asked for at its API."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from grove.web.client import HttpClient
from grove_auth.social.providers.calls import json_of, object_of, text
from grove_auth.social.providers.configuration import ProviderSettings
from grove_auth.social.providers.interface import Answer, Claims, ProviderMisbehaved, Question

API = "https://api.github.com"


class GithubProvider:
    """The subject is the account's number: names and addresses change hands."""

    can_reauthenticate = False

    def __init__(self, settings: ProviderSettings, client: HttpClient, secret: Callable[[], str]) -> None:
        self.key = settings.key
        self._issuer = settings.issuer_url
        self._api = API if settings.issuer_url == "https://github.com" else f"{settings.issuer_url}/api/v3"
        self._client_id = settings.client_id
        self._client = client
        self._secret = secret

    async def authorization_url(self, question: Question) -> str:
        """Where the browser goes."""
        query = {
            "client_id": self._client_id,
            "redirect_uri": question.redirect_uri,
            "scope": "read:user user:email",
            "state": question.state,
            "code_challenge": question.challenge,
            "code_challenge_method": "S256",
        }
        return f"{self._issuer}/login/oauth/authorize?{urlencode(query)}"

    async def check_issuer(self, issuer: str | None) -> None:
        """It may say who it is; then it must be right."""
        if issuer not in {None, self._issuer, f"{self._issuer}/login/oauth"}:
            raise ProviderMisbehaved("issuer_of_answer")

    async def claims(self, answer: Answer) -> Claims:
        """Who it is, with the primary address."""
        form = {
            "client_id": self._client_id,
            "client_secret": self._secret(),
            "code": answer.code,
            "redirect_uri": answer.redirect_uri,
            "code_verifier": answer.verifier,
        }
        url = f"{self._issuer}/login/oauth/access_token"
        accept = {"Accept": "application/json"}
        tokens = await object_of(self._client, "POST", url, reason="code_refused", data=form, headers=accept)
        if not text(tokens.get("access_token")):
            raise ProviderMisbehaved("code_refused")  # its errors have the status 200
        headers = {"Accept": "application/vnd.github+json", "Authorization": f"Bearer {tokens['access_token']}"}
        person = await object_of(self._client, "GET", f"{self._api}/user", reason="userinfo", headers=headers)
        emails = await json_of(self._client, "GET", f"{self._api}/user/emails", reason="userinfo", headers=headers)
        number = person.get("id")
        if not isinstance(number, int) or isinstance(number, bool) or not isinstance(emails, list):
            raise ProviderMisbehaved("userinfo")
        primary = next((email for email in emails if isinstance(email, dict) and email.get("primary") is True), {})
        return self._read(number, person, primary)

    async def aclose(self) -> None:
        """Close connections."""
        await self._client.aclose()

    def _read(self, number: int, person: dict[str, Any], primary: dict[str, Any]) -> Claims:
        return Claims(
            issuer=self._issuer,
            subject=str(number),
            email=text(primary.get("email")) or None,
            email_verified=primary.get("verified") is True,
            name=text(person.get("name")) or text(person.get("login")),
        )
