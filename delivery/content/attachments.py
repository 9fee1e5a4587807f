"""Files of a mail: their type must be what their name says, and nothing that runs.

Resend silently drops a file whose extension does not match its type, so a mismatch is refused before it is sent.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any

from core.errors import InvalidRequest
from delivery.messages import Attachment

LARGEST_TOTAL = 40_000_000
"""Bytes of all files of one mail after Base64, Resend's limit."""
MOST_FILES = 20

TYPES: Mapping[str, str] = {
    "pdf": "application/pdf",
    "csv": "text/csv",
    "txt": "text/plain",
    "json": "application/json",
    "ics": "text/calendar",
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
}
"""Extension → content type of the files that we send; all others (exe, js, html, svg, zip …) are refused."""

_MAGIC: Mapping[str, tuple[bytes, ...]] = {
    "application/pdf": (b"%PDF-",),
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/gif": (b"GIF87a", b"GIF89a"),
    "image/webp": (b"RIFF",),
    TYPES["xlsx"]: (b"PK\x03\x04",),
    TYPES["docx"]: (b"PK\x03\x04",),
}
_EXECUTABLE = (b"MZ", b"\x7fELF", b"#!", b"\xca\xfe\xba\xbe", b"\xcf\xfa\xed\xfe", b"\xfe\xed\xfa\xcf")
_FILENAME = re.compile(
    r"[^\x00-\x1f\x7f-\x9f/\\:*?\"<>|\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]{1,120}"
)
_CONTENT_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def check_attachment(attachment: Attachment, field: str = "attachment") -> None:
    """InvalidRequest unless name, content type and first bytes agree on one of `TYPES`."""
    if not _FILENAME.fullmatch(attachment.filename) or attachment.filename.startswith("."):
        raise InvalidRequest(f"{field}.filename", "must be a plain file name, e.g. report.pdf")
    extension = attachment.filename.rpartition(".")[2].lower()
    expected = TYPES.get(extension) if "." in attachment.filename else None
    if expected is None:
        raise InvalidRequest(f"{field}.filename", f"files may be {', '.join(TYPES)}")
    given = attachment.content_type.partition(";")[0].strip().lower()
    if given != expected:
        raise InvalidRequest(f"{field}.content_type", f"must be {expected} for a .{extension} file")
    content = attachment.content
    if not content:
        raise InvalidRequest(f"{field}.content", "is empty")
    if content.startswith(_EXECUTABLE) or not content.startswith(_MAGIC.get(expected, (b"",))):
        raise InvalidRequest(f"{field}.content", f"does not begin like a .{extension} file")
    if attachment.content_id is not None and not _CONTENT_ID.fullmatch(attachment.content_id):
        raise InvalidRequest(f"{field}.content_id", "may hold letters, digits, dot, _ and - only")


def check_attachments(attachments: tuple[Attachment, ...], field: str = "attachments") -> None:
    """`check_attachment` on each, and InvalidRequest when they are too many or too large together."""
    if len(attachments) > MOST_FILES:
        raise InvalidRequest(field, f"has {len(attachments)} files; at most {MOST_FILES} are taken")
    for number, attachment in enumerate(attachments):
        check_attachment(attachment, f"{field}[{number}]")
    if sum(-(-len(attachment.content) // 3) * 4 for attachment in attachments) > LARGEST_TOTAL:
        raise InvalidRequest(field, f"are larger than {LARGEST_TOTAL // 1_000_000} MB together (Base64)")


def attachments_of(value: Any, field: str = "attachments") -> tuple[Attachment, ...]:
    """The files of a payload: objects of filename, content_type, content (Base64 text), and content_id if inline."""
    if not isinstance(value, list | tuple):
        raise InvalidRequest(field, f"must be a list, not {type(value).__name__}")
    files = tuple(_attachment(item, f"{field}[{number}]") for number, item in enumerate(value))
    check_attachments(files, field)
    return files


def _attachment(item: Any, field: str) -> Attachment:
    if not isinstance(item, Mapping):
        raise InvalidRequest(field, "must be an object with filename, content_type and content")
    for name in ("filename", "content_type", "content"):
        if not isinstance(item.get(name), str):
            mend = "Base64 text" if name == "content" else "text"
            raise InvalidRequest(f"{field}.{name}", f"must be {mend}")
    content_id = item.get("content_id")
    if content_id is not None and not isinstance(content_id, str):
        raise InvalidRequest(f"{field}.content_id", "must be text")
    if len(item["content"]) > LARGEST_TOTAL:
        raise InvalidRequest(f"{field}.content", f"is larger than {LARGEST_TOTAL // 1_000_000} MB (Base64)")
    try:
        content = base64.b64decode(item["content"], validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequest(f"{field}.content", "must be Base64 text") from None
    return Attachment(item["filename"], item["content_type"], content, content_id)
