"""Putting reports into the archive before they are accepted, so that their mails can carry the link."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from core.database import rows, transaction
from core.errors import InvalidRequest
from core.models import unseal
from core.settings import settings
from core.vocabulary import Channel
from delivery import archive
from delivery.catalog import message_type
from delivery.content import Person, RenderRequest, render
from delivery.loading import NAME_PLACE
from flows.audience import Recipient
from flows.batches import Draft

AWAY = "sent without a link: the archive was away"


def archived(
    drafts: Sequence[Draft], people: Mapping[str, Recipient], month: str, now: datetime
) -> Iterator[Draft]:
    """The drafts with links to their archived pages; without links, and saying so, when the archive is away."""
    names = _names([draft.user_id for draft in drafts])
    pages = {
        draft.user_id: page
        for draft in drafts
        if (page := _page(draft.payload, people[draft.user_id], names.get(draft.user_id, ""), now))
    }
    keys = {user_id: archive.report_key(user_id, month) for user_id in pages}
    try:
        archive.write({keys[user_id]: page for user_id, page in pages.items()})
    except archive.ArchiveAway:
        yield from (replace(draft, note=AWAY) for draft in drafts)
        return
    for draft in drafts:
        if draft.user_id in keys:
            link = {"action_url": archive.link_to(keys[draft.user_id]), "action_label": "Keep this report"}
            yield replace(draft, payload=draft.payload | link)
        else:
            yield draft


def _page(payload: Mapping[str, Any], person: Recipient, name: str, now: datetime) -> str | None:
    """The mail as a page with its pictures inside; None when it can't be rendered, which accepting will tell."""
    request = RenderRequest(
        message_type=message_type("monthly_report"),
        channel=Channel.EMAIL,
        payload=payload,
        person=Person(name=name, locale=person.locale, time_zone=person.time_zone),
        now=now,
        postal_address=settings().postal_address,
    )
    try:
        html = render(request).html
    except InvalidRequest:
        return None
    for file in payload.get("attachments", ()):
        html = html.replace(
            f"cid:{file['content_id']}", f"data:{file['content_type']};base64,{file['content']}"
        )
    return html


def _names(ids: Sequence[str]) -> dict[str, str]:
    with transaction() as connection:
        found = rows(
            connection,
            "SELECT id, name_sealed FROM users WHERE id = ANY(%s) AND name_sealed IS NOT NULL",
            (list(ids),),
        )
    return {user_id: unseal(sealed, place=NAME_PLACE, row=user_id) for user_id, sealed in found}
