"""Email: addresses in ASCII, headers that can't be forged, one-click unsubscribe."""

from core.errors import InvalidAddress, InvalidRequest
from core.vocabulary import Channel, Purpose, Urgency
from delivery.catalog import MessageType
from delivery.channels.base import Address, Draft
from delivery.content.attachments import attachments_of
from delivery.content.clean_text import header_value, one_line
from delivery.content.safe_links import web_link
from delivery.messages import RenderedMessage

LONGEST_SUBJECT = 250
_RESERVED = ("example", "test", "invalid", "localhost", "example.com", "example.net", "example.org")
"""RFC 2606 and 6761: names that never reach a person."""


class EmailChannel:
    """Mails with a subject, HTML and always a text part."""

    channel: Channel = Channel.EMAIL
    parts: tuple[str, ...] = ("subject.txt", "email.html", "email.txt")

    def address(self, raw: str, *, reserved: bool = False) -> Address:
        """The mail address in lower case with an ASCII domain (IDNA); InvalidAddress if nobody can be reached there.

        `reserved` lets in the domains of RFC 2606 (`*.example`, `*.test` …), for use outside production.
        """
        return _mail(raw, reserved)

    def finish(self, draft: Draft, message_type: MessageType) -> RenderedMessage:
        """The mail with safe headers; List-Unsubscribe (RFC 8058) on everything that is not critical."""
        subject = header_value("subject", one_line(draft.parts["subject.txt"]))
        if not subject:
            raise InvalidRequest("subject", "is empty")
        unsubscribe = draft.links.get("unsubscribe_url", "")
        if message_type.purpose is Purpose.MARKETING:
            if not unsubscribe:
                raise InvalidRequest(
                    "links.unsubscribe_url", "a marketing mail must carry one (CAN-SPAM, RFC 8058)"
                )
            if not draft.postal_address:
                raise InvalidRequest("postal_address", "a marketing mail must carry one (CAN-SPAM)")
        headers = {}
        if unsubscribe and message_type.urgency is not Urgency.CRITICAL:
            headers["List-Unsubscribe"] = f"<{web_link('links.unsubscribe_url', unsubscribe)}>"
            headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        return RenderedMessage(
            channel=Channel.EMAIL,
            subject=subject if len(subject) <= LONGEST_SUBJECT else subject[: LONGEST_SUBJECT - 1] + "…",
            html=draft.parts["email.html"],
            body=draft.parts["email.txt"],
            headers=headers,
            attachments=attachments_of(draft.files) if draft.files else (),
            template=draft.template,
        )

    def units(self, body: str) -> int:  # noqa: ARG002 - a mail costs the same whatever it says
        """1: mails are billed by the piece."""
        return 1


def _mail(raw: str, reserved: bool) -> Address:
    import email_validator

    if not isinstance(raw, str) or len(raw) > 320:
        raise InvalidAddress("address", "is no mail address: give it as maya@example.com")
    try:
        found = email_validator.validate_email(
            raw.strip(),
            check_deliverability=False,
            test_environment=reserved,
            allow_smtputf8=False,
            strict=True,
        )
    except email_validator.EmailNotValidError as error:
        raise InvalidAddress("address", f"is no mail address: {error}") from None
    domain = found.ascii_domain.lower()
    local = (found.ascii_local_part or "").lower()  # never empty: SMTPUTF8 is refused above
    if not reserved and any(domain == name or domain.endswith(f".{name}") for name in _RESERVED):
        raise InvalidAddress("address", f"the domain {domain} is reserved for tests and reaches nobody")
    return Address(normal=f"{local}@{domain}", domain=domain)
