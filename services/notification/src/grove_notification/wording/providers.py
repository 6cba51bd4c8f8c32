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


def _because(reason: str | None, what_follows: str) -> str:
    """A reason that we have no words for is left out: the provider-sync service may know more of them than we."""
    return f"{reason} {what_follows}" if reason else what_follows


def _linked(fact: provider_sync.ConnectionLinked, t: Texts) -> Wording:
    return Wording(
        "PROVIDER_CONNECTED",
        t("{provider} is connected", provider=fact.provider_name),
        t("Your accounts and transactions are being fetched."),
        _link(fact),
    )


def _needs_reauth(fact: provider_sync.ConnectionNeedsReauth, t: Texts) -> Wording:
    if fact.ends_at is not None:
        title = _ends(fact, t)
        message = t("It ends on {time}. Connect it again before then.", time=t.time(fact.ends_at))
    else:
        title = t("{provider}: please connect again", provider=fact.provider_name)
        message = _because(_lost(fact.reason_code, t), t("Connect it again to continue."))
    return Wording("PROVIDER_NEEDS_REAUTH", title, message, _link(fact))


def _ends(fact: provider_sync.ConnectionNeedsReauth, t: Texts) -> str:
    if fact.days_left is None:
        return t("{provider}: access ends soon", provider=fact.provider_name)
    if fact.days_left <= 0:
        return t("{provider}: access ends today", provider=fact.provider_name)
    return t.plural(
        "{provider}: access ends in {count} day",
        "{provider}: access ends in {count} days",
        fact.days_left,
        provider=fact.provider_name,
    )


def _lost(code: str, t: Texts) -> str | None:
    return {
        "refused": t("The provider no longer accepts our access."),
        "withdrawn": t("Access was withdrawn at the provider."),
        "consent_ended": t("The access you gave has ended."),
        "revoked_by_operator": t("Access was ended for safety."),
        "unreadable": t("Our access can't be used any more."),
    }.get(code)


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
    if fact.trigger == "scheduled" and fact.failures != provider_sync.TOLD_FAILURES:
        return None  # most that fails once works an hour later, and what lasts is told once
    return Wording(
        "PROVIDER_FAILED",
        t("{provider} could not be updated", provider=fact.provider_name),
        _because(_failed(fact.reason_code, t), t("We will try again automatically.")),
        _link(fact),
    )


def _failed(code: str, t: Texts) -> str | None:
    return {
        "unavailable": t("The provider does not answer as it should."),
        "timeout": t("The provider did not answer in time."),
        "throttled": t("The provider asks us to wait."),
        "history_changes": t("The provider's data kept changing while it was read."),
        "not_offered": t("This provider is not offered here at the moment."),
        "fault": t("What the provider sent could not be read."),
    }.get(code)


WORDS: Words = {
    provider_sync.ConnectionLinked: _linked,
    provider_sync.ConnectionNeedsReauth: _needs_reauth,
    provider_sync.RunCompleted: _run_completed,
    provider_sync.RunFailed: _run_failed,
}
