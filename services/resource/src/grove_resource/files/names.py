"""Names of files: cleaned when they come in, and quoted so that they stay a name in a header."""

import re
from urllib.parse import quote

from grove.core.text import without_unsafe

MAX_LENGTH = 255
_MAX_SUFFIX = 20
_UNQUOTED = "!#$&+-.^_`|~"  # attr-char of RFC 8187, beside letters and digits


def clean_name(name: str) -> str:
    """The last part of a path, without control and text-direction characters, at most MAX_LENGTH long.

    Too long a name loses the end of its stem and keeps its suffix; what has no name is called `file`.
    """
    name = without_unsafe(re.split(r"[/\\]", name)[-1]).strip()
    stem, dot, suffix = name.rpartition(".")
    if len(name) > MAX_LENGTH and stem and len(suffix) <= _MAX_SUFFIX:
        name = stem[: MAX_LENGTH - len(suffix) - 1] + dot + suffix
    name = name[:MAX_LENGTH]
    return name if name.strip(". ") else "file"


def attachment_disposition(name: str) -> str:
    """`Content-Disposition` (RFC 6266) for a file that is saved, not shown: the name in ASCII, and as it is."""
    plain = re.sub(r'[^ -~]|["%\\]', "_", name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe=_UNQUOTED)}"
