"""Which passwords are taken, how old they may be, and hashes that were made elsewhere."""

import os
from datetime import timedelta

import bcrypt
import pytest
from argon2 import PasswordHasher as ForeignArgon2
from argon2 import Type

from grove.core.clock import now
from grove_auth.passwords import blocklist, rules
from grove_auth.passwords.hasher import PasswordHasher
from grove_auth.registrations.rules import DisposableAddress, check_address, is_disposable

AUTH = "/api/v1/auth"
PASSWORD = "plant trees not walls"
OTHER = "water them every evening"
ABOUT = ("ada.lovelace@example.com", "Ada Lovelace")


def refusal(settings, password: str, **changes) -> str:
    """Why the password is not taken; empty when it is."""
    try:
        rules.check(password, settings.model_copy(update=changes), about=ABOUT)
    except rules.WeakPassword as weak:
        [detail] = weak.details
        assert (detail["field"], detail["type"]) == ("body.password", "weak_password")
        return detail["message"]
    return ""


def test_length_is_counted_in_characters_after_composition(settings):
    assert refusal(settings, "äöü" + "zwölf" + "ß" * 3) == "must have at least 12 characters"
    assert not refusal(settings, PASSWORD)
    assert refusal(settings, "x" * 129) == "must have at most 128 characters"
    decomposed = "Über den Wölken "[:-1].replace("Ü", "U\u0308").replace("ö", "o\u0308")
    assert rules.normalised(decomposed) == "Über den Wölken"


def test_there_are_no_classes_but_by_setting(settings):
    assert not refusal(settings, PASSWORD)
    assert "small letters" in refusal(settings, PASSWORD, password_require_classes=3)
    assert not refusal(settings, "Plant trees not walls", password_require_classes=3)
    assert not refusal(settings, "Plant 3 trees not walls", password_require_classes=4)
    assert rules.classes("aA1 ") == 4
    assert rules.classes("日本語") == 1


@pytest.mark.parametrize("password", ["Football", "PASSWORD1", "\uff50\uff41\uff53\uff53word"])
def test_what_is_tried_first_is_refused_however_it_is_spelt(settings, password):
    easy = {"password_min_length": 8, "password_min_score": 0}
    assert refusal(settings, password, **easy) == "is one of the passwords that are tried first; choose another"


def test_the_bundled_list_is_long_enough():
    assert len(blocklist._bundled()) > 29_000


def test_the_operators_list_is_read_again_when_it_changes(settings, tmp_path):
    file = tmp_path / "own.txt"
    file.write_text("Our Old Default Sentence\n\n", encoding="utf-8")
    own = {"password_blocklist_file": file}
    assert "tried first" in refusal(settings, "our old default sentence", **own)
    assert not refusal(settings, PASSWORD, **own)
    file.write_text(f"{PASSWORD}\n", encoding="utf-8")
    os.utime(file, ns=(1, 1))
    assert "tried first" in refusal(settings, PASSWORD, **own)
    assert not refusal(settings, "our old default sentence", **own)
    with file.open("wb") as grown:
        grown.truncate(blocklist.MAX_BYTES + 1)
    assert "tried first" in refusal(settings, PASSWORD, **own), "too large: the list stays as it was"
    file.unlink()
    assert "tried first" in refusal(settings, PASSWORD, **own), "gone: the list stays as it was"


@pytest.mark.parametrize(
    "password",
    ["Grove-2026-2026!", "ada.lovelace1815", "LovelaceLovelace", "example.com 1234567", "xx grove lovelace 9"],
)
def test_words_of_the_context_make_no_password(settings, password):
    easy = {"password_min_score": 0}
    assert "your name, your address" in refusal(settings, password, **easy)
    assert not refusal(settings, f"{password} and orchids", **easy)


def test_a_password_without_many_letters_is_judged_by_its_strength(settings):
    assert not refusal(settings, "8305 2714 9961 5027")
    assert not refusal(settings, "kq7#Vm2!zR9&xT4")


def test_disposable_addresses_are_refused_by_setting_only(settings):
    assert is_disposable("a@mailinator.com")
    assert is_disposable("a@some.mailinator.com")
    assert not is_disposable("a@example.com")
    assert not is_disposable("a@com")
    check_address("a@mailinator.com", settings)
    with pytest.raises(DisposableAddress):
        check_address("a@mailinator.com", settings.model_copy(update={"refuse_disposable_email": True}))


@pytest.mark.integration
async def test_a_disposable_address_is_a_422(replica, outside):
    async with await replica(refuse_disposable_email=True) as client:
        body = {"email": "ada@mailinator.com", "password": PASSWORD, "name": "Ada"}
        answer = await client.post(f"{AUTH}/register", json=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "VALIDATION_ERROR")
        assert answer.json()["error"]["details"][0]["field"] == "body.email"
        assert await outside.mails() == []
        assert (await client.post(f"{AUTH}/register", json=body | {"email": "a@example.com"})).status_code == 202


@pytest.mark.integration
async def test_a_password_that_is_too_old_is_told_after_it_was_right_and_renewed_by_mail(
    replica, ada, stranger, resources, outside
):
    async def login(client, password: str, email: str = ada.email):
        answer = await client.post(f"{AUTH}/login", json={"email": email, "password": password})
        return answer.status_code, answer.json().get("error", {}).get("code")

    async def age(field: str, days: int) -> None:
        await resources.database["users"].update_many({}, {"$set": {field: now() - timedelta(days=days)}})

    async with await replica(password_max_age_days=90) as client:
        assert await login(client, PASSWORD) == (200, None)
        await age("created_at", 91)
        assert await login(client, PASSWORD) == (403, "PASSWORD_EXPIRED")
        assert await login(client, "wrong wrong wrong") == (401, "INVALID_CREDENTIALS")
        assert await login(client, PASSWORD, stranger.email) == (401, "INVALID_CREDENTIALS")
        assert (await ada.login()).status_code == 200, "the setting is off by default"
        await client.post(f"{AUTH}/request-password-reset", json={"email": ada.email})
        token = (await outside.mails())[-1]["variables"]["token"]
        reset = await client.post(f"{AUTH}/reset-password", json={"token": token, "new_password": OTHER})
        assert reset.status_code == 204
        assert await login(client, OTHER) == (200, None)
        await age("password_changed_at", 89)
        assert await login(client, OTHER) == (200, None)
        await age("password_changed_at", 91)
        assert await login(client, OTHER) == (403, "PASSWORD_EXPIRED")


LONG = "plant trees not walls, and water them every evening until they stand on their own"
ELSEWHERE = {
    "bcrypt": lambda text: bcrypt.hashpw(text.encode()[:72], bcrypt.gensalt(4)).decode(),
    "bcrypt-2y": lambda text: bcrypt.hashpw(text.encode()[:72], bcrypt.gensalt(4)).decode().replace("$2b$", "$2y$"),
    "argon2i": lambda text: ForeignArgon2(1, 8192, 2, type=Type.I).hash(text),
    "argon2id": lambda text: ForeignArgon2(3, 16384, 4).hash(text),
}


@pytest.mark.parametrize("kind", ELSEWHERE)
@pytest.mark.parametrize("password", [PASSWORD, LONG])
@pytest.mark.integration
async def test_a_hash_made_elsewhere_is_renewed_at_sign_in(ada, resources, settings, kind, password):
    assert len(LONG) > 72
    users = resources.database["users"]
    await users.update_many({}, {"$set": {"password_hash": ELSEWHERE[kind](password)}})
    assert (await ada.login(password="wrong " + password)).status_code == 401
    assert (await ada.login(password=password)).status_code == 200
    [user] = await users.find({}).to_list()
    assert user["password_hash"].startswith("$argon2id$v=19$m=8192,t=1,p=1$")
    assert (await ada.login(password=password)).status_code == 200
    if password == LONG:
        assert (await ada.login(password=password[:72])).status_code == 401, "all of it counts now"


@pytest.mark.parametrize("stored", ["$2b$04$tooshort", "{SSHA}nothing", "$2b$99$" + "a" * 53, "$argon2id$v=19$broken"])
@pytest.mark.integration
async def test_a_hash_that_cannot_be_read_is_nobodys_and_no_server_error(ada, resources, stored):
    await resources.database["users"].update_many({}, {"$set": {"password_hash": stored}})
    answer = await ada.login()
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "INVALID_CREDENTIALS")


async def test_the_settings_are_the_hashs_parameters(settings):
    changes = {"argon2_memory_kib": 9216, "argon2_iterations": 3, "argon2_parallelism": 2}
    hasher = PasswordHasher(settings.model_copy(update=changes))
    assert (await hasher.hash("x")).startswith("$argon2id$v=19$m=9216,t=3,p=2$")
    hasher.close()
    defaults = type(settings).model_fields
    assert [defaults[f"argon2_{name}"].default for name in ("memory_kib", "iterations", "parallelism")] == [19456, 2, 1]
