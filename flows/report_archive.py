"""Putting reports into the archive before they are accepted, so that their mails can carry links to what lies there."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from core.database import transaction
from core.errors import InvalidRequest
from core.sealing import unseal
from core.settings import settings
from core.statements import rows
from core.vocabulary import Channel
from delivery import archive
from delivery.archived_report import ArchivedReport
from delivery.catalog import message_type
from delivery.content import Person, RenderRequest, render
from delivery.loading import NAME_PLACE
from flows.audience import Recipient
from flows.batch_values import Draft

AWAY = "sent without a link: the archive was away"


def archived(
    drafts: Sequence[Draft],
    people: Mapping[str, Recipient],
    month: str,
    now: datetime,
    *,
    hosted: bool = False,
    pdf: bool = False,
) -> Iterator[Draft]:
    """The drafts with links to their archived pages; without links, and saying so, when the archive is away.

    With `hosted` the mails show their pictures from the archive and carry no files, so that providers take them by the
    hundred; without the archive they carry their pictures as ever. With `pdf` the report is attached as well.
    """
    names = _names([draft.user_id for draft in drafts])
    reports = {
        draft.user_id: report
        for draft in drafts
        if (report := _report(draft.payload, people[draft.user_id], names.get(draft.user_id, ""), now))
    }
    if pdf:
        drafts = [_with_pdf(draft, reports.get(draft.user_id), f"mingus-{month}.pdf") for draft in drafts]
    keys = {user_id: archive.report_key(user_id, month) for user_id in reports}
    try:
        archive.write({keys[user_id]: report.dump() for user_id, report in reports.items()})
    except archive.ArchiveAway:
        yield from (replace(draft, note=AWAY) for draft in drafts)
        return
    for draft in drafts:
        if draft.user_id not in keys:
            yield draft  # it can't be rendered: accepting tells why
            continue
        link = archive.link_to(keys[draft.user_id])
        payload = _hosted(draft.payload, link) if hosted else draft.payload
        links = {"action_url": link, "action_label": "Keep this report", "pdf_url": f"{link}/report.pdf"}
        yield replace(draft, payload=payload | links)


def _with_pdf(draft: Draft, report: ArchivedReport | None, name: str) -> Draft:
    from analytics.report_pdf import Picture, pdf_of

    if report is None:
        return draft
    content = pdf_of(report.text, [Picture(png) for png in report.pictures.values()])
    file = {
        "filename": name,
        "content_type": "application/pdf",
        "content": base64.b64encode(content).decode(),
    }
    return replace(
        draft, payload=draft.payload | {"attachments": [*draft.payload.get("attachments", ()), file]}
    )


def _hosted(payload: dict[str, Any], link: str) -> dict[str, Any]:
    """The payload with addresses in the place of inline pictures."""
    names = {chart["content_id"] for chart in payload.get("charts", ())}
    hosted = [
        {"name": chart["content_id"], "alt": chart["alt"], "url": f"{link}/{chart['content_id']}.png"}
        for chart in payload.get("charts", ())
    ]
    files = [each for each in payload.get("attachments", ()) if each.get("content_id") not in names]
    rest = {name: value for name, value in payload.items() if name not in {"charts", "attachments"}}
    return rest | ({"hosted_charts": hosted} if hosted else {}) | ({"attachments": files} if files else {})


def _report(payload: Mapping[str, Any], person: Recipient, name: str, now: datetime) -> ArchivedReport | None:
    """The mail as it would leave; None when it can't be rendered, which accepting will tell."""
    request = RenderRequest(
        message_type=message_type("monthly_report"),
        channel=Channel.EMAIL,
        payload=payload,
        person=Person(name=name, locale=person.locale, time_zone=person.time_zone),
        now=now,
        postal_address=settings().postal_address,
    )
    try:
        return ArchivedReport.of(render(request))
    except InvalidRequest:
        return None


def _names(ids: Sequence[str]) -> dict[str, str]:
    with transaction() as connection:
        found = rows(
            connection,
            "SELECT id, name_sealed FROM users WHERE id = ANY(%s) AND name_sealed IS NOT NULL",
            (list(ids),),
        )
    return {user_id: unseal(sealed, place=NAME_PLACE, row=user_id) for user_id, sealed in found}
