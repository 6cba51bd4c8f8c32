"""What a file is by its bytes; its name and what the client says of it prove nothing."""

import codecs
import re
from collections.abc import AsyncIterator

import filetype

UNKNOWN = "application/octet-stream"
TEXT = "text/plain"
_HEAD_BYTES = 8192
_NOT_IN_TEXT = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")
_WRITTEN_AS_TEXT = {"application/pdf", "application/rtf", "application/postscript"}


class Sniffer:
    """Looks at the bytes that pass `through` it.

    `content_type` is then what their signature says, text/plain for clean UTF-8 (HTML, SVG and scripts are that too,
    and nothing a browser would run), and application/octet-stream for the rest.
    """

    def __init__(self) -> None:
        self._head = b""
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._is_text = True

    async def through(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The same chunks."""
        async for chunk in chunks:
            self._see(chunk)
            yield chunk
        self._see(b"", final=True)

    @property
    def content_type(self) -> str:
        """A media type without parameters."""
        signature = filetype.guess_mime(self._head)
        if self._is_text:  # letters that look like the signature of something, as `BM` does, are letters
            return signature if signature in _WRITTEN_AS_TEXT else TEXT
        return signature or UNKNOWN

    def _see(self, chunk: bytes, *, final: bool = False) -> None:
        self._head += chunk[: _HEAD_BYTES - len(self._head)]
        if not self._is_text:
            return
        try:
            self._decoder.decode(chunk, final)
        except UnicodeDecodeError:
            self._is_text = False
        else:
            self._is_text = _NOT_IN_TEXT.search(chunk) is None
