"""What the pages of mailed links say. Opening one does nothing: mail scanners open links too, people click."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MailedLink:
    """A page with one button. `route`: where it sends the token, on the auth host. `taken`: what a 409 means."""

    route: str
    title: str
    message: str
    button: str
    done: str
    gone: str
    taken: str = ""


ADDRESS_TAKEN = "Another account has the old address meanwhile. Write to those who run this service."

VERIFY_EMAIL = MailedLink(
    route="verify-email",
    title="Confirm your address",
    message="One click finishes your registration.",
    button="Confirm address",
    done="Your address is confirmed. You can sign in now.",
    gone="This link was used or has expired. Ask for a new one where you registered.",
)
KEEP_ACCOUNT = MailedLink(
    route="me/restore",
    title="Keep your account",
    message="It is closed and will be deleted. One click opens it again.",
    button="Keep the account",
    done="Your account is open again. You can sign in now.",
    gone="This link was used, or a newer one was mailed, or the account is deleted.",
)
CANCEL_RECOVERY = MailedLink(
    route="mfa/recovery/cancel",
    title="Keep your second factor",
    message="One click, and signing in needs your second factor as before.",
    button="Keep it",
    done="Your second factor stays. If you did not report it lost, change your password now.",
    gone="There is nothing to stop any more. If you can't sign in as before, reset your password.",
)
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
    taken=ADDRESS_TAKEN,
)
NOT_ME = MailedLink(
    route="security/not-me",
    title="It was not me",
    message="All sessions end, and nobody can sign in until you set a new password by mail.",
    button="End all sessions",
    done="Everybody is signed out. Open the mail that we sent now, and set a new password.",
    gone="This link was used or has expired. To set a new password, ask for a mail where you sign in.",
    taken=ADDRESS_TAKEN,
)
