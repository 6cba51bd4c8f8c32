"""What the pages of mailed links say. Opening one does nothing: mail scanners open links too, people click."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MailedLink:
    """A page with one button. `route`: where it sends the token, on the auth host."""

    route: str
    title: str
    message: str
    button: str
    done: str
    gone: str


CHANGE_EMAIL = MailedLink(
    route="change-email/confirm",
    title="Confirm your new address",
    message="One click makes this address the one of your account.",
    button="Use this address",
    done="This address is the one of your account now. Sign in with it from now on.",
    gone="This link was used or has expired. Ask for a new one in your account.",
)
UNDO_EMAIL_CHANGE = MailedLink(
    route="change-email/undo",
    title="Take the change back",
    message="Your old address is the account's again, all sessions end, and you set a new password by mail.",
    button="Take it back",
    done="Your old address is the account's again, and everybody is signed out. "
    "Open the mail that we sent to it now, and set a new password.",
    gone="This link was used or has expired.",
)
NOT_ME = MailedLink(
    route="security/not-me",
    title="It was not me",
    message="All sessions end, and nobody can sign in until you set a new password by mail.",
    button="End all sessions",
    done="Everybody is signed out. Open the mail that we sent now, and set a new password.",
    gone="This link was used or has expired. To set a new password, ask for a mail where you sign in.",
)
