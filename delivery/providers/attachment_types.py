"""What a mail may carry: services silently drop a file whose name and type disagree, so we refuse it aloud."""

from collections.abc import Mapping, Sequence

from delivery.messages import Attachment

TYPES: Mapping[str, frozenset[str]] = {
    ".pdf": frozenset({"application/pdf"}),
    ".csv": frozenset({"text/csv"}),
    ".txt": frozenset({"text/plain"}),
    ".html": frozenset({"text/html"}),
    ".json": frozenset({"application/json"}),
    ".ics": frozenset({"text/calendar"}),
    ".png": frozenset({"image/png"}),
    ".jpg": frozenset({"image/jpeg"}),
    ".jpeg": frozenset({"image/jpeg"}),
    ".gif": frozenset({"image/gif"}),
    ".webp": frozenset({"image/webp"}),
    ".svg": frozenset({"image/svg+xml"}),
    ".zip": frozenset({"application/zip"}),
    ".xlsx": frozenset({"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}),
}


def problem(attachments: Sequence[Attachment], *, most_bytes: int) -> str:
    """Why the attachments would not arrive, without their names; empty when they would. `most_bytes` after base64."""
    for position, each in enumerate(attachments):
        dot = each.filename.rfind(".")
        extension = each.filename[dot:].lower() if dot > 0 else ""
        plain_type = each.content_type.partition(";")[0].strip().lower()
        if plain_type not in TYPES.get(extension, frozenset()):
            return f"attachment {position}: extension {extension or '(none)'} does not go with {plain_type}"
    encoded = sum((len(each.content) + 2) // 3 * 4 for each in attachments)
    return (
        f"attachments of {encoded} bytes in base64, {most_bytes} are allowed" if encoded > most_bytes else ""
    )
