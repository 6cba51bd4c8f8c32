"""The sandbox as an OpenID Connect issuer: its people, keys and codes, and how it misbehaves when told to."""

import base64
import json
import secrets
import time
from dataclasses import dataclass
from typing import Any, Literal

from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey
from pydantic import BaseModel, Field

ID_TOKEN_SECONDS = 300
CODE_SECONDS = 60

Wrong = Literal[
    "alg_none",  # an ID token without a signature
    "audience",  # … for another client
    "authorized_party",  # … for several clients, issued to another
    "code_replay",  # codes work more than once
    "email_in_userinfo",  # no misbehaviour: the address is told by userinfo only
    "expired",  # an ID token of an hour ago
    "future",  # … issued in an hour
    "issuer",  # … of another issuer
    "issuer_of_answer",  # the answer to the browser names another issuer (RFC 9207)
    "key",  # an ID token signed with a key that is not published
    "no_nonce",  # … without a nonce
    "nonce",  # … with another one
    "secret_as_key",  # … signed with the client secret (HS256)
    "stale",  # `auth_time` of yesterday
    "userinfo_subject",  # userinfo about somebody else
]


class Person(BaseModel):
    """Somebody with an account at the issuer."""

    subject: str
    email: str | None
    email_verified: bool | str = True
    name: str = ""
    locale: str = "en"


class Conduct(BaseModel):
    """How the issuer behaves: what it does wrong, and whom it takes everybody for who gives no `login_hint`."""

    wrong: set[Wrong] = Field(default_factory=set)
    person: str = "demo"
    deny: bool = False


@dataclass
class SignIn:
    """What a code stands for."""

    person: str
    client_id: str
    redirect_uri: str
    challenge: str
    nonce: str
    expires: float


class Issuer:
    """Everything the issuer knows. It forgets all when it ends."""

    def __init__(self) -> None:
        self.conduct = Conduct()
        self.people: dict[str, Person] = {}
        self.codes: dict[str, SignIn] = {}
        self.access_tokens: dict[str, str] = {}
        self.keys_fetched = 0
        self.rotate("ES256")

    def person(self, login: str) -> Person:
        """The person with that login, made at first sight; an address as login is theirs."""
        if login not in self.people:
            email = login if "@" in login else f"{login}@sandbox.example"
            self.people[login] = Person(subject=f"person-{login}", email=email, name=login.partition("@")[0].title())
        return self.people[login]

    def rotate(self, algorithm: Literal["ES256", "RS256"]) -> None:
        """Another key, with another id; the one before is not published any more."""
        parameters: Any = {"kid": secrets.token_hex(4), "use": "sig", "alg": algorithm}
        self.algorithm = algorithm
        self._key: ECKey | RSAKey = (
            ECKey.generate_key("P-256", parameters) if algorithm == "ES256" else RSAKey.generate_key(2048, parameters)
        )

    def jwks(self) -> dict[str, Any]:
        """The public key."""
        self.keys_fetched += 1
        return {"keys": [self._key.as_dict(private=False)]}

    def code(self, sign_in: SignIn) -> str:
        """A code for the client."""
        code = secrets.token_urlsafe(24)
        self.codes[code] = sign_in
        return code

    def take(self, code: str) -> SignIn | None:
        """What the code stands for; it works once."""
        found = self.codes.get(code)
        if "code_replay" not in self.conduct.wrong:
            self.codes.pop(code, None)
        return found if found and found.expires >= time.time() else None

    def tokens(self, sign_in: SignIn, url: str, client_secret: str) -> dict[str, Any]:
        """The answer of the token endpoint."""
        access_token = secrets.token_urlsafe(24)
        self.access_tokens[access_token] = sign_in.person
        claims = self._claims(sign_in, url)
        return {
            "access_token": access_token,
            "token_type": "Bearer",
            "expires_in": ID_TOKEN_SECONDS,
            "id_token": self._signed(claims, client_secret),
        }

    def userinfo(self, access_token: str) -> dict[str, Any] | None:
        """The claims about the person whose token it is."""
        login = self.access_tokens.get(access_token)
        if login is None:
            return None
        person = self.person(login)
        subject = "somebody-else" if "userinfo_subject" in self.conduct.wrong else person.subject
        return {"sub": subject, "name": person.name, "email": person.email, "email_verified": person.email_verified}

    def _claims(self, sign_in: SignIn, url: str) -> dict[str, Any]:
        wrong, person, moment = self.conduct.wrong, self.person(sign_in.person), int(time.time())
        issued = moment - 3600 if "expired" in wrong else moment + 3600 if "future" in wrong else moment
        claims: dict[str, Any] = {
            "iss": "https://issuer.invalid" if "issuer" in wrong else url,
            "sub": person.subject,
            "aud": "somebody-else" if "audience" in wrong else sign_in.client_id,
            "iat": issued,
            "exp": issued + ID_TOKEN_SECONDS,
            "auth_time": moment - 86400 if "stale" in wrong else moment,
            "nonce": "another" if "nonce" in wrong else sign_in.nonce,
            "name": person.name,
            "locale": person.locale,
        }
        if "no_nonce" in wrong:
            del claims["nonce"]
        if "authorized_party" in wrong:
            claims |= {"aud": [sign_in.client_id, "somebody-else"], "azp": "somebody-else"}
        if person.email is not None and not wrong & {"email_in_userinfo", "userinfo_subject"}:
            claims |= {"email": person.email, "email_verified": person.email_verified}
        return claims

    def _signed(self, claims: dict[str, Any], client_secret: str) -> str:
        wrong = self.conduct.wrong
        if "alg_none" in wrong:
            return f"{_part({'alg': 'none'})}.{_part(claims)}."
        if "secret_as_key" in wrong:
            key = OctKey.import_key(client_secret)
            return jwt.encode({"alg": "HS256", "kid": self._key.kid}, claims, key, algorithms=["HS256"])
        header = {"alg": self.algorithm, "kid": self._key.kid}
        if "key" in wrong:
            return jwt.encode({**header, "alg": "ES256"}, claims, ECKey.generate_key("P-256"), algorithms=["ES256"])
        return jwt.encode(header, claims, self._key, algorithms=[self.algorithm])


def _part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
