"""Every fact that is told."""

from grove.contracts.event import EventData
from grove_notification.texts import Texts
from grove_notification.wording import accounts, providers, tasks
from grove_notification.wording.words import Wording, Words

WORDS: Words = {**accounts.WORDS, **tasks.WORDS, **providers.WORDS}


def wording(fact: EventData, texts: Texts) -> Wording | None:
    """How to tell a fact; None when it is not worth telling."""
    word = WORDS.get(type(fact))
    return word(fact, texts) if word else None
