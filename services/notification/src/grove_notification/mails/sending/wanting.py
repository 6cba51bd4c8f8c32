"""What of a notice its reader still wants when it is about to be sent."""

import json
from collections.abc import Collection

from grove.security.encryption import DecryptionFailed, FieldCipher
from grove_notification.mails.queue import purpose_of
from grove_notification.models import Mail


def keep_wanted(cipher: FieldCipher, mail: Mail, mailed_types: Collection[str]) -> bool:
    """Whether they want it, of the types that come to them by mail. A digest loses its items of other types; it is
    wanted while some are left.
    """
    if mail.kind != "digest":
        return mail.notification_type in mailed_types
    try:
        content = json.loads(cipher.open(mail.sealed or "", purpose=purpose_of(mail.id)))
    except DecryptionFailed:  # its sender gives it up, and an operator sees it
        return bool(mailed_types)
    items = content["variables"]["items"]
    wanted = [item for item in items if item.get("type", "") in {"", *mailed_types}]  # before 0009 they had no type
    if not mailed_types or not wanted:
        return False
    if len(wanted) < len(items):
        content["variables"]["items"] = wanted
        mail.sealed = cipher.seal(json.dumps(content), purpose=purpose_of(mail.id))
    return True
