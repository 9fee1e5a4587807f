"""SMS: E.164 numbers, opt-out footer, segments."""

import re

from core.errors import InvalidAddress, InvalidRequest
from core.vocabulary import Channel, Purpose
from delivery.catalog import MessageType
from delivery.channels.area_codes import STATE_BY_AREA_CODE
from delivery.channels.base import Address, Draft
from delivery.channels.gsm7 import cheapest, segments
from delivery.content.clean_text import clean
from delivery.messages import RenderedMessage

LONGEST_BODY = 1600
"""UTF-16 units that Twilio takes in one message (error 21617 beyond)."""

FOOTERS = {"en": "Reply STOP to opt out", "es": "Responda STOP para darse de baja"}
"""By language; all in GSM-7, so that a footer never changes the encoding."""
ALWAYS_FOOTED = frozenset({Purpose.WELLNESS, Purpose.MARKETING})
"""Purposes whose every text tells how to stop; the others tell it in a programme's first text (CTIA §5.1.3)."""

_TEST_RANGE = "+1500555"
"""Twilio's magic test numbers, +15005550000 to 0009, and the simulator's."""
_RAW = re.compile(r"[+＋]?[\d\s().\-‐-―·/]{3,40}")
_DEAF = {
    "FIXED_LINE": "a landline",
    "PREMIUM_RATE": "a premium-rate number",
    "SHARED_COST": "a shared-cost number",
    "TOLL_FREE": "a toll-free number",
    "PAGER": "a pager",
    "UAN": "a company's number",
    "VOICEMAIL": "a voicemail",
}


class SmsChannel:
    """Text messages to mobile numbers."""

    channel: Channel = Channel.SMS
    parts: tuple[str, ...] = ("sms.txt",)

    def address(self, raw: str, *, reserved: bool = False) -> Address:  # noqa: ARG002 - phones have no reserved domains
        """E.164 of `raw` (national forms are read as US), with country, US state and zones; InvalidAddress if none."""
        return _phone(raw)

    def finish(self, draft: Draft, message_type: MessageType) -> RenderedMessage:
        """The cheapest spelling of the text, with the footer where its purpose needs one; InvalidRequest over 1600."""
        body = clean(draft.parts["sms.txt"]).strip()
        if not body:
            raise InvalidRequest(message_type.payload, "makes an empty text")
        if needs_footer(message_type, first_of_programme=draft.first_of_programme):
            footer = FOOTERS.get(draft.language, FOOTERS["en"])
            if footer not in body:
                body = f"{body}\n{footer}"
        body = cheapest(body, LONGEST_BODY)
        refuse_long(message_type.payload, body)
        return RenderedMessage(
            channel=Channel.SMS, body=body, units=segments(body).segments, template=draft.template
        )

    def units(self, body: str) -> int:
        """The segments of `body`."""
        return segments(body).segments


def needs_footer(message_type: MessageType, *, first_of_programme: bool) -> bool:
    """Whether the text must tell how to opt out."""
    return first_of_programme or message_type.purpose in ALWAYS_FOOTED


def refuse_long(field: str, body: str) -> None:
    """InvalidRequest naming `field` when Twilio would not take `body`."""
    if 2 * len(body) <= LONGEST_BODY:
        return
    units = len(body.encode("utf-16-le")) // 2
    if units > LONGEST_BODY:
        raise InvalidRequest(field, f"makes an SMS of {units} characters; at most {LONGEST_BODY} can be sent")


def _phone(raw: str) -> Address:
    import phonenumbers
    from phonenumbers import timezone

    if not isinstance(raw, str) or not _RAW.fullmatch(raw.strip()):
        raise InvalidAddress("address", "is no phone number: give it as +14045550123")
    try:
        number = phonenumbers.parse(raw, "US")
    except phonenumbers.NumberParseException as error:
        raise InvalidAddress("address", f"is no phone number ({error}): give it as +14045550123") from None
    normal = str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
    if normal.startswith(_TEST_RANGE) and len(normal) == 12:
        return Address(normal=normal, country="US")
    if not phonenumbers.is_possible_number(number) or not phonenumbers.is_valid_number(number):
        raise InvalidAddress(
            "address", "is not a phone number that exists: check its digits and country code"
        )
    kind = phonenumbers.PhoneNumberType.to_string(phonenumbers.number_type(number))
    if kind in _DEAF:
        raise InvalidAddress("address", f"is {_DEAF[kind]}, which takes no texts: give a mobile number")
    country = phonenumbers.region_code_for_number(number) or ""
    zones = tuple(zone for zone in timezone.time_zones_for_number(number) if zone != "Etc/Unknown")
    region = STATE_BY_AREA_CODE.get(normal[2:5], "") if country == "US" else ""
    return Address(normal=normal, country=country, region=region, zones=zones)
