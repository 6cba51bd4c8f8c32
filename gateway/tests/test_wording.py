"""The pages that mails link to speak the reader's language, scripts and all."""

import re
from collections.abc import AsyncIterator
from dataclasses import fields
from importlib.resources import files

import httpx2
import pytest
from jinja2 import Environment
from jinja2.ext import extract_from_ast

from grove.testing.http import client_of
from grove_gateway.main import build
from grove_gateway.pages import mailed_links
from grove_gateway.pages.mailed_links import MailedLink
from grove_gateway.pages.texts import catalogue, language_of
from grove_gateway.resources import Resources

LINKS = [link for link in vars(mailed_links).values() if isinstance(link, MailedLink)]
MAILED = ("/verify-email", "/reset-password", "/not-me", "/unsubscribe", "/connected", "/not-connected")


@pytest.fixture
async def client(settings) -> AsyncIterator[httpx2.AsyncClient]:
    resources = Resources(settings)
    async with client_of(build(settings, resources), base_url="https://portal.test") as client:
        yield client
    await resources.aclose()


def sentences() -> set[str]:
    found = {str(getattr(link, field.name)) for link in LINKS for field in fields(link) if field.name != "route"}
    for template in (files("grove_gateway") / "templates").iterdir():
        tree = Environment(autoescape=True).parse(template.read_text())
        found |= {str(message) for _, _, message in extract_from_ast(tree) if message}
    return found - {""}


def test_every_sentence_has_a_german_one_and_none_is_left_over():
    german = catalogue("de")
    missing = {sentence for sentence in sentences() if german.gettext(sentence) == sentence} - {"Status"}
    assert not missing
    assert set(german._catalog) - {""} <= sentences()


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("de", "de"),
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("fr,en;q=0.5,de;q=0.7", "de"),
        ("en-US,en;q=0.9,de;q=0.8", "en"),
        ("fr", "en"),
        ("de;q=0,en", "en"),
        ("de;q=x,*,;;,", "en"),
    ],
)
def test_the_language_is_the_one_that_is_liked_best(header, language):
    assert language_of(header) == language


@pytest.mark.parametrize("path", MAILED)
async def test_who_reads_german_gets_german(client, path):
    for header, language in (("de-CH,de;q=0.9,en;q=0.1", "de"), ("en", "en")):
        answer = await client.get(path, headers={"Accept-Language": header})
        assert f'<html lang="{language}">' in answer.text
        assert answer.headers["content-language"] == language
        assert "Accept-Language" in answer.headers["vary"]
        assert ("Zum Inhalt" in answer.text) == (language == "de")


async def test_scripts_of_these_pages_have_no_sentences_of_their_own(client):
    for name in ("mailed", "mailed_link", "unsubscribe", "reset_password", "telling"):
        script = (await client.get(f"/static/{name}.js")).text
        code = "\n".join(
            line.split("//")[0] for line in script.splitlines() if not line.strip().startswith(("*", "/*"))
        )
        assert not re.findall(r'"[A-Z][a-z]* [^"]*"', code), name
    page = (await client.get("/verify-email", headers={"Accept-Language": "de"})).text
    assert 'data-done="Ihre Adresse ist bestätigt. Sie können sich jetzt anmelden."' in page
    assert 'data-failed="Das hat nicht geklappt. Versuchen Sie es gleich noch einmal."' in page
