"""How facts are told: in English and German, by every type."""

import io
from datetime import UTC, datetime
from importlib.resources import files

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from grove.contracts import auth, provider_sync, resource
from grove.core.clock import now
from grove.core.ids import new_id
from grove_notification.consumers import TASK_FACTS, TOLD
from grove_notification.texts import Texts
from grove_notification.wording.wording import WORDS, wording

URL = "/api/v1/notifications"
ME = new_id()
EN = Texts("en", "UTC")


def task(kind: type, **fields):
    moment = {
        resource.TaskCreated: "created_at",
        resource.TaskUpdated: "updated_at",
        resource.TaskCompleted: "completed_at",
        resource.TaskReopened: "reopened_at",
        resource.TaskDeleted: "deleted_at",
        resource.TaskRestored: "restored_at",
    }[kind]
    return kind(task_id=new_id(), user_id=ME, title="Plant", **{moment: now()}, **fields)


@pytest.fixture
def me(issuer):
    return issuer.headers(ME)


def connection(kind: type, **fields):
    return kind(connection_id=new_id(), user_id=ME, provider="sandbox", provider_name="Sandbox Bank", **fields)


def run(kind: type, **fields):
    return connection(kind, run_id=new_id(), finished_at=now(), **fields)


def session(kind: type, **fields):
    return kind(user_id=ME, session_id="s", device_name="Firefox on Linux", **fields)


def api_key(kind: type, **fields):
    return kind(user_id=ME, api_key_id=new_id(), name="backup", hint="grv_0aB1cD", **fields)


COUNTS = {"accounts": 2, "added": 1, "changed": 0, "removed": 0}


@pytest.mark.integration
@pytest.mark.parametrize(
    ("fact", "kind"),
    [
        (task(resource.TaskCreated), "TASK_CREATED"),
        (task(resource.TaskUpdated, changed=["title"]), "TASK_UPDATED"),
        (task(resource.TaskCompleted), "TASK_COMPLETED"),
        (task(resource.TaskReopened), "TASK_PENDING"),
        (task(resource.TaskDeleted, permanent=True), "TASK_DELETED"),
        (task(resource.TaskRestored), "TASK_RESTORED"),
        (session(auth.SessionStarted, browser="", os="", ip="203.0.113.0", started_at=now()), "LOGIN"),
        (session(auth.SessionEnded, reason="logout", ended_at=now()), "LOGOUT"),
        (session(auth.SessionEnded, reason="reuse_detected", ended_at=now()), None),
        (
            session(auth.LoginSuspicious, reason="new_device", browser="", os="", ip="", signed_in_at=now()),
            "SUSPICIOUS_LOGIN",
        ),
        (auth.UserEmailChanged(user_id=ME, email="a@example.com", how="changed", changed_at=now()), "EMAIL_CHANGED"),
        (auth.UserEmailChanged(user_id=ME, email="a@example.com", how="undone", changed_at=now()), "EMAIL_CHANGED"),
        (session(auth.SessionReuseDetected, ip="", detected_at=now()), "SESSION_REUSE"),
        (auth.LoginLocked(user_id=ME, until=None, failures=100, locked_at=now(), factor="second"), "ACCOUNT_LOCKED"),
        (auth.MfaEnabled(user_id=ME, method="totp", enabled_at=now()), "MFA_ENABLED"),
        (auth.MfaDisabled(user_id=ME, method="all", reason="recovered", disabled_at=now()), "MFA_DISABLED"),
        (auth.MfaDisabled(user_id=ME, method="sms", reason="removed", disabled_at=now()), "MFA_DISABLED"),
        (api_key(auth.ApiKeyCreated, scopes=["tasks:read"], expires_at=None, created_at=now()), "API_KEY_CREATED"),
        (api_key(auth.ApiKeyDeleted, deleted_at=now()), None),
        (connection(provider_sync.ConnectionLinked, linked_at=now()), "PROVIDER_CONNECTED"),
        (connection(provider_sync.ConnectionNeedsReauth, reason="Gone.", since=now()), "PROVIDER_NEEDS_REAUTH"),
        (connection(provider_sync.ConnectionRemoved, removed_at=now()), None),
        (run(provider_sync.RunCompleted, trigger="initial", after_failure=False, **COUNTS), "PROVIDER_SYNCED"),
        (run(provider_sync.RunCompleted, trigger="scheduled", after_failure=True, **COUNTS), "PROVIDER_SYNCED"),
        (run(provider_sync.RunCompleted, trigger="scheduled", after_failure=False, **COUNTS), None),
        (run(provider_sync.RunFailed, trigger="user", reason="No."), "PROVIDER_FAILED"),
        (run(provider_sync.RunFailed, trigger="initial", reason="No."), "PROVIDER_FAILED"),
        (run(provider_sync.RunFailed, trigger="scheduled", reason="No."), None),
        (connection(provider_sync.ConnectionRecovered, recovered_at=now()), None),
    ],
)
async def test_every_fact_has_its_wording(client, me, happen, fact, kind):
    words = wording(fact, EN)
    assert (words.type if words else None) == kind
    service = fact.type.split(".")[0].replace("_", "-")
    assert await happen(service, fact)
    items = (await client.get(URL, headers=me)).json()["items"]
    assert [item["type"] for item in items] == ([kind] if kind else [])


@pytest.mark.parametrize(
    ("city", "country", "ip", "words"),
    [
        ("Berlin", "DE", "203.0.113.0", "signed in from Berlin, Germany. This device and this place are new."),
        (None, "DE", "203.0.113.0", "signed in from Germany."),
        (None, None, "203.0.113.0", "signed in from 203.0.113.0."),
        (None, None, "", "signed in."),
    ],
)
def test_a_place_is_told_as_exactly_as_it_is_known(city, country, ip, words):
    place = {"city": city, "country": country, "ip": ip}
    fact = session(auth.LoginSuspicious, reason="new_device_and_place", browser="", os="", signed_in_at=now(), **place)
    told = wording(fact, EN)
    assert told is not None
    assert words in told.message


def locked(**fields) -> auth.LoginLocked:
    return auth.LoginLocked(user_id=ME, failures=10, locked_at=now(), **fields)


def test_times_are_told_by_the_readers_clock_and_in_their_language():
    until = datetime(2026, 7, 1, 22, 30, tzinfo=UTC)
    told = wording(locked(until=until, factor="password"), Texts("en", "America/New_York"))
    assert "1 July 2026, 18:30 EDT" in told.message
    told = wording(locked(until=until, factor="password"), Texts("de-AT", "Europe/Vienna"))
    assert told.title == "Die Anmeldung mit Passwort ist gesperrt"
    assert "bis zum 2. Juli 2026 um 00:30 Uhr MESZ." in told.message


@pytest.mark.parametrize("locale", ["fr", "xx-nonsense", "", "de_DE", "../etc"])
def test_a_language_without_wording_is_told_in_english(locale):
    told = wording(task(resource.TaskCreated), Texts(locale, "Nowhere/Nothing"))
    assert told.title == "Task created"


def test_what_users_write_is_not_taken_for_a_placeholder():
    told = wording(task(resource.TaskCreated).model_copy(update={"title": "{title.__class__} {0} {"}), EN)
    assert told.message == "“{title.__class__} {0} {” was created."


def test_every_message_has_its_german():
    root = files("grove_notification")
    source = (root / "locales/de/LC_MESSAGES/notifications.po").read_bytes()
    catalogue = read_po(io.BytesIO(source), locale="de")
    words = {"t": None, "plural": (1, 2)}
    found = extract_from_dir(str(root / "wording"), [("**.py", "python")], keywords=words)
    messages = {message for _, _, message, _, _ in found}
    assert len(messages) > 70
    assert {message for message in messages if not all(german(catalogue, message))} == set()
    assert {message.id for message in catalogue if message.id} - messages == set(), "wording of nothing"
    for message in messages:
        forms = (message,) if isinstance(message, str) else message
        for form, worded in zip(forms, german(catalogue, message), strict=True):
            assert placeholders(form) == placeholders(worded), message


def german(catalogue: Catalog, message: str | tuple[str, ...]) -> tuple[str, ...]:
    """Its forms: one for each of the message's."""
    known = catalogue.get(message[0] if isinstance(message, tuple) else message)
    if known is None:
        return ("",)
    return known.string if isinstance(known.string, tuple) else (known.string,)


def placeholders(message: str) -> set[str]:
    return {part.split("}")[0] for part in message.split("{")[1:]}


def test_every_fact_that_is_told_has_words():
    assert {*TOLD, *TASK_FACTS} <= set(WORDS)


GERMAN = Texts("de", "Europe/Vienna")
ENDS_AT = datetime(2026, 7, 1, 22, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("code", "english", "german"),
    [
        (
            "refused",
            "The provider no longer accepts our access. ",
            "Der Anbieter akzeptiert unseren Zugang nicht mehr. ",
        ),
        ("withdrawn", "Access was withdrawn at the provider. ", "Der Zugang wurde beim Anbieter entzogen. "),
        ("consent_ended", "The access you gave has ended. ", "Der von Ihnen erteilte Zugang ist abgelaufen. "),
        ("revoked_by_operator", "Access was ended for safety. ", "Der Zugang wurde aus Sicherheitsgründen beendet. "),
        ("unreadable", "Our access can't be used any more. ", "Unser Zugang ist nicht mehr nutzbar. "),
        ("of_a_later_version", "", ""),
        ("", "", ""),
    ],
)
def test_why_access_ended_is_told_in_the_readers_language_where_the_reason_is_known(code, english, german):
    fact = connection(provider_sync.ConnectionNeedsReauth, reason="In English.", reason_code=code, since=now())
    assert wording(fact, EN).title == "Sandbox Bank: please connect again"
    assert wording(fact, EN).message == f"{english}Connect it again to continue."
    assert wording(fact, GERMAN).message == f"{german}Stellen Sie die Verbindung neu her, damit es weitergeht."


@pytest.mark.parametrize(
    ("days", "english", "german"),
    [
        (14, "access ends in 14 days", "Der Zugang endet in 14 Tagen"),
        (1, "access ends in 1 day", "Der Zugang endet in 1 Tag"),
        (0, "access ends today", "Der Zugang endet heute"),
        (None, "access ends soon", "Der Zugang endet bald"),
    ],
)
def test_an_end_of_access_is_told_ahead_by_the_readers_clock(days, english, german):
    ahead = {"reason": "", "reason_code": "ends_soon", "since": now(), "ends_at": ENDS_AT, "days_left": days}
    fact = connection(provider_sync.ConnectionNeedsReauth, **ahead)
    told = wording(fact, Texts("en", "America/New_York"))
    assert told.title == f"Sandbox Bank: {english}"
    assert told.message == "It ends on 1 July 2026, 18:30 EDT. Connect it again before then."
    told = wording(fact, GERMAN)
    assert told.title == f"Sandbox Bank: {german}"
    assert told.message == "Er endet am 2. Juli 2026 um 00:30 Uhr MESZ. Stellen Sie die Verbindung vorher neu her."


@pytest.mark.parametrize(
    ("code", "english", "german"),
    [
        ("unavailable", "The provider does not answer as it should. ", "Der Anbieter antwortet nicht wie erwartet. "),
        ("timeout", "The provider did not answer in time. ", "Der Anbieter hat nicht rechtzeitig geantwortet. "),
        ("throttled", "The provider asks us to wait. ", "Der Anbieter bittet um Geduld. "),
        (
            "history_changes",
            "The provider's data kept changing while it was read. ",
            "Die Daten des Anbieters haben sich beim Lesen immer wieder geändert. ",
        ),
        (
            "not_offered",
            "This provider is not offered here at the moment. ",
            "Dieser Anbieter steht hier zurzeit nicht zur Verfügung. ",
        ),
        (
            "fault",
            "What the provider sent could not be read. ",
            "Die Daten des Anbieters waren nicht lesbar. ",
        ),
        ("of_a_later_version", "", ""),
    ],
)
def test_why_a_run_failed_is_told_in_the_readers_language_where_the_reason_is_known(code, english, german):
    fact = run(provider_sync.RunFailed, trigger="user", reason="In English.", reason_code=code)
    assert wording(fact, EN).message == f"{english}We will try again automatically."
    assert wording(fact, GERMAN).message == f"{german}Wir versuchen es automatisch erneut."


def test_failures_that_nobody_asked_for_are_told_once_in_a_row_of_them():
    streak = [run(provider_sync.RunFailed, trigger="scheduled", reason="", failures=each) for each in range(1, 9)]
    assert [fact.failures for fact in streak if wording(fact, EN)] == [3]


KNOWN = {"browser": "Firefox", "os": "Linux", "ip": "203.0.113.0", "city": "Wien", "country": "AT"}


@pytest.mark.parametrize(
    ("fact", "message"),
    [
        (session(auth.SessionStarted, started_at=now(), **KNOWN), "Anmeldung mit {} (Wien, Österreich)."),
        (session(auth.SessionEnded, reason="logout", ended_at=now()), "Abmeldung mit {}."),
        (session(auth.SessionEnded, reason="revoked", ended_at=now()), "{} wurde abgemeldet."),
        (session(auth.SessionReuseDetected, ip="", detected_at=now()), "Ein altes Refresh-Token von {} wurde erneut "),
    ],
)
def test_a_device_is_named_in_the_language_where_its_name_was_made(fact, message):
    names = {"Firefox on Linux": "Firefox unter Linux", "Ada's phone": "Ada's phone", "Ada on tour": "Ada on tour"}
    for name, german in names.items():
        told = wording(fact.model_copy(update={"device_name": name}), GERMAN)
        assert told.message.startswith(message.format(german))


@pytest.mark.parametrize(
    ("changed", "english", "german"),
    [
        (["due_at", "priority"], "changed: due date, priority.", "geändert: Fälligkeit, Priorität."),
        (["parent_id", "of_a_later_version"], "changed: parent task.", "geändert: übergeordnete Aufgabe."),
        (["of_a_later_version"], "changed.", "geändert."),
    ],
)
def test_what_changed_of_a_task_is_told(changed, english, german):
    fact = task(resource.TaskUpdated, changed=changed)
    assert wording(fact, EN).message == f"“Plant” was {english}"
    assert wording(fact, GERMAN).message == f"„Plant“ wurde {german}"
