"""How facts about connections to providers are told."""

from grove.contracts import provider_sync
from grove_notification.texts import Texts
from grove_notification.wording.words import Wording, Words

_Connection = (
    provider_sync.ConnectionLinked
    | provider_sync.ConnectionNeedsReauth
    | provider_sync.RunCompleted
    | provider_sync.RunFailed
)


def _link(fact: _Connection) -> str:
    return f"/api/v1/connections/{fact.connection_id}"


def _with_reason(
    fact: provider_sync.ConnectionNeedsReauth | provider_sync.RunFailed, t: Texts, what_follows: str
) -> str:
    """The reason is a sentence in English: who reads another language is spared half of one."""
    if t.language != "en" or not fact.reason:
        return what_follows
    return f"{fact.reason[0].upper()}{fact.reason[1:]} {what_follows}"


def _linked(fact: provider_sync.ConnectionLinked, t: Texts) -> Wording:
    return Wording(
        "PROVIDER_CONNECTED",
        t("{provider} is connected", provider=fact.provider_name),
        t("Your accounts and transactions are being fetched."),
        _link(fact),
    )


def _needs_reauth(fact: provider_sync.ConnectionNeedsReauth, t: Texts) -> Wording:
    return Wording(
        "PROVIDER_NEEDS_REAUTH",
        t("{provider} needs you", provider=fact.provider_name),
        _with_reason(fact, t, t("Connect it again to go on.")),
        _link(fact),
    )


def _run_completed(fact: provider_sync.RunCompleted, t: Texts) -> Wording | None:
    if fact.trigger == "scheduled" and not fact.after_failure:
        return None  # every few hours, for each connection: nobody wants to read that
    return Wording(
        "PROVIDER_SYNCED",
        t("{provider} is up to date", provider=fact.provider_name),
        t(
            "Accounts: {accounts}. Transactions: {added} new, {changed} changed, {removed} removed.",
            accounts=fact.accounts,
            added=fact.added,
            changed=fact.changed,
            removed=fact.removed,
        ),
        _link(fact),
    )


def _run_failed(fact: provider_sync.RunFailed, t: Texts) -> Wording | None:
    if fact.trigger == "scheduled":
        return None  # tried again soon; what lasts is told by needs_reauth
    return Wording(
        "PROVIDER_FAILED",
        t("{provider} could not be fetched", provider=fact.provider_name),
        _with_reason(fact, t, t("It is tried again by itself.")),
        _link(fact),
    )


WORDS: Words = {
    provider_sync.ConnectionLinked: _linked,
    provider_sync.ConnectionNeedsReauth: _needs_reauth,
    provider_sync.RunCompleted: _run_completed,
    provider_sync.RunFailed: _run_failed,
}
