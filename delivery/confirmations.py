"""Double opt-in: marketing by mail begins when the owner of the address has confirmed it (GDPR 7.1: provable consent).

request_confirmation() = unconfirmed row in the ledger + mail with a link ─▶ confirm() = confirmed row
The mail is no notification: it has no type, no consent to stand on, and says nothing but its question.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from html import escape
from uuid import UUID

from sqlalchemy import Connection

from core.clock import utc_now
from core.database import transaction
from core.errors import InvalidRequest, NotAccepted
from core.sealing import unseal
from core.settings import settings
from core.statements import rows
from core.vocabulary import Channel, OutcomeKind, Purpose
from delivery import consents
from delivery.consents import ConsentEntry
from delivery.loading import ADDRESS_PLACE
from delivery.messages import RenderedMessage, Transmission
from delivery.providers import configured, provider
from delivery.signed_links import CONFIRM, row_of, token_for

GOOD_FOR = timedelta(days=7)
AGAIN_AFTER = timedelta(minutes=10)
"""Nobody's mailbox is filled by asking again and again."""

SUBJECT = "Please confirm: mails from MINGUS"
TEXT = """Somebody, hopefully you, asked for mails from MINGUS about {purpose} at this address.

Yes, send them to me: {url}

If it was not you, do nothing: you will get no such mails. The link is good for {days} days.

{postal_address}
"""


def request_confirmation(entry: ConsentEntry, *, now: datetime | None = None) -> UUID:
    """Record an unconfirmed grant and mail its question; the id of its row (of the confirmed one, where it stands).

    InvalidRequest without a usable address or when asked again too soon, NotAccepted when the mail could not be sent.
    """
    at = now or utc_now()
    unconfirmed = replace(entry, channel=Channel.EMAIL, granted=True, confirmed=False)
    with transaction() as connection:
        latest = rows(
            connection,
            "SELECT id, action = 'grant' AND confirmed, action = 'grant' AND at > %s FROM consents"
            " WHERE user_id = %s AND channel = %s AND purpose = %s ORDER BY at DESC, id DESC LIMIT 1",
            (at - AGAIN_AFTER, entry.user_id, Channel.EMAIL, entry.purpose),
        )
        if latest and latest[0][1]:
            return UUID(str(latest[0][0]))
        if latest and latest[0][2]:
            raise InvalidRequest(
                "email", "was asked for its confirmation a few minutes ago: look into the mailbox"
            )
        address = _address(connection, entry.user_id)
        consents.record(connection, [unconfirmed])
    carriers = configured(settings())[Channel.EMAIL]
    if not carriers:
        raise NotAccepted("no provider of mail is configured")
    (outcome,) = provider(carriers[0]).transmit([_question(unconfirmed, address)], key=f"confirm-{entry.id}")
    if outcome.kind not in {OutcomeKind.ACCEPTED, OutcomeKind.UNKNOWN}:
        raise NotAccepted("the mail that asks for confirmation could not be sent: try again later")
    return entry.id


def asked(token: str) -> tuple[str, Purpose]:
    """(user, purpose) that a genuine link asks about; InvalidSignature for any other text."""
    row_id = row_of(token, purpose=CONFIRM)
    with transaction() as connection:
        found = rows(connection, "SELECT user_id, purpose FROM consents WHERE id = %s", (row_id,))
    if not found:
        raise InvalidRequest("token", "stands for nothing that we know any more")
    return found[0][0], Purpose(found[0][1])


def confirm(token: str, *, ip: str = "", agent: str = "", now: datetime | None = None) -> None:
    """Confirm what the link asks about; again is no error.

    InvalidSignature for a forged link, InvalidRequest for one that is too old or was withdrawn since.
    """
    at = now or utc_now()
    row_id = row_of(token, purpose=CONFIRM)
    user_id, purpose = asked(token)
    with transaction() as connection:
        latest = rows(
            connection,
            "SELECT id, action, confirmed, at, level, lawful_basis, source FROM consents"
            " WHERE user_id = %s AND channel = %s AND purpose = %s ORDER BY at DESC, id DESC LIMIT 1",
            (user_id, Channel.EMAIL, purpose),
        )[0]
        source = f"confirms:{row_id}"
        if latest[6] == source and latest[1] == "grant":
            return
        if latest[0] != row_id:
            raise InvalidRequest(
                "token", "was followed by another decision: ask for the mails again if you want them"
            )
        if latest[3] < at - GOOD_FOR:
            raise InvalidRequest("token", f"is older than {GOOD_FOR.days} days: ask for the mails again")
        consents.record(
            connection,
            [
                ConsentEntry(
                    user_id=user_id, channel=Channel.EMAIL, purpose=purpose, granted=True, confirmed=True,
                    method="double_opt_in", level=latest[4], lawful_basis=latest[5], source=source,
                    wording=TEXT, wording_version="1", ip=ip, agent=agent,
                )
            ],
        )  # fmt: skip


def _address(connection: Connection, user_id: str) -> str:
    found: Sequence[tuple[UUID, bytes, bool]] = rows(
        connection,
        "SELECT c.id, c.address_sealed, EXISTS (SELECT FROM suppressions s WHERE s.channel = c.channel"
        " AND s.address_index = c.address_index AND s.score >= 1 AND (s.until IS NULL OR s.until > now()))"
        " FROM contact_points c WHERE c.user_id = %s AND c.channel = %s AND c.is_primary ORDER BY c.created_at DESC LIMIT 1",
        (user_id, Channel.EMAIL),
    )
    if not found:
        raise InvalidRequest("email", "is missing: add an address first")
    if found[0][2]:
        raise InvalidRequest("email", "is an address that mails can't be sent to any more: give another one")
    return unseal(found[0][1], place=ADDRESS_PLACE, row=found[0][0])


def _question(entry: ConsentEntry, address: str) -> Transmission:
    url = f"{settings().public_base_url}/confirm/{token_for(entry.id, purpose=CONFIRM)}"
    text = TEXT.format(
        purpose=entry.purpose, url=url, days=GOOD_FOR.days, postal_address=settings().postal_address
    )
    html = "".join(f"<p>{escape(part)}</p>" for part in text.strip().split("\n\n")).replace(
        escape(url), f'<a href="{escape(url)}">confirm</a>'
    )
    return Transmission(
        attempt_id=entry.id,
        notification_id=entry.id,
        message_type="consent_confirmation",
        address=address,
        message=RenderedMessage(
            channel=Channel.EMAIL, subject=SUBJECT, body=text, html=html, template="confirm/1"
        ),
        key=f"confirm-{entry.id}",
    )
