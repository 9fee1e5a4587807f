"""What Resend checks in an email before it takes it."""

import mimetypes
import re
from typing import Any

from sandbox.resend.errors import resend_refusal

ADDRESS = re.compile(r"(?:[^<>]*<)?\s*([^\s<>@,]+@[^\s<>@,]+\.[A-Za-z]{2,})\s*>?")
TAG = re.compile(r"[A-Za-z0-9_-]{1,256}")
MAX_RECIPIENTS = 50
BLOCKED_DOMAINS = frozenset({"example.com", "test.com"})
FORMAT = "The email address needs to follow the `email@example.com` or `Name <email@example.com>` format."


def bare(address: str) -> str:
    """The address without a display name, lower case; an empty string when it is none."""
    found = ADDRESS.fullmatch(address.strip())
    return found.group(1).lower() if found else ""


def many(value: object) -> list[str]:
    """A field that may be one string, a list of them, or absent."""
    if value is None:
        return []
    return (
        [value]
        if isinstance(value, str)
        else [str(item) for item in value]
        if isinstance(value, list)
        else [""]
    )


def check_email(email: object, *, in_batch: bool, refuse_example_domains: bool) -> None:
    """Raise the refusal that Resend would answer, if any."""
    if not isinstance(email, dict):
        raise resend_refusal("validation_error", "The request body must be a JSON object.")
    for name in ("from", "to", "subject"):
        if not email.get(name):
            raise resend_refusal("missing_required_field", f"Missing `{name}` field.")
    if not isinstance(email["from"], str) or not bare(email["from"]):
        raise resend_refusal("invalid_from_address")
    _check_recipients(email, refuse_example_domains=refuse_example_domains)
    if email.get("html") is None and email.get("text") is None and email.get("template") is None:
        raise resend_refusal("missing_required_field", "Missing `html` or `text` field.")
    _check_tags(email.get("tags"))
    if in_batch:
        for name in ("attachments", "scheduled_at"):
            if email.get(name):
                raise resend_refusal(
                    "validation_error", f"The `{name}` field is not supported in batch sending."
                )
    for attachment in email.get("attachments") or ():
        if not isinstance(attachment, dict) or not (attachment.get("content") or attachment.get("path")):
            raise resend_refusal("invalid_attachment")


def _check_recipients(email: dict[str, Any], *, refuse_example_domains: bool) -> None:
    for name in ("to", "cc", "bcc", "reply_to"):
        addresses = many(email.get(name))
        if len(addresses) > MAX_RECIPIENTS:
            raise resend_refusal(
                "validation_error", f"The `{name}` field must have at most {MAX_RECIPIENTS} items."
            )
        for address in addresses:
            if not bare(address):
                raise resend_refusal("validation_error", f"Invalid `{name}` field. {FORMAT}")
            if (
                name == "to"
                and refuse_example_domains
                and bare(address).rpartition("@")[2] in BLOCKED_DOMAINS
            ):
                raise resend_refusal(
                    "validation_error",
                    "Invalid `to` field. Please use our testing email address instead of domains like `example.com`.",
                )


def _check_tags(tags: object) -> None:
    for tag in tags if isinstance(tags, list) else ():
        name, value = (tag.get("name"), tag.get("value")) if isinstance(tag, dict) else (None, None)
        if not (
            isinstance(name, str) and isinstance(value, str) and TAG.fullmatch(name) and TAG.fullmatch(value)
        ):
            raise resend_refusal(
                "validation_error", "Tags should only contain ASCII letters, numbers, underscores, or dashes."
            )


def sort_attachments(attachments: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[str]]:
    """What is sent along, and the names of what is silently dropped: extension and type don't agree."""
    kept, dropped = [], []
    for attachment in attachments:
        name = str(attachment.get("filename") or "")
        guessed = mimetypes.guess_type(name)[0]
        given = attachment.get("content_type")
        if given and guessed and given.partition(";")[0].strip() != guessed:
            dropped.append(name)
        else:
            content = attachment.get("content")
            size = len(content) * 3 // 4 if isinstance(content, str) else len(content or ())
            kept.append({"filename": name, "content_type": given or guessed, "size": size})
    return kept, dropped
