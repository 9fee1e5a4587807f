"""Guards against SMS pumping: somebody makes us text expensive numbers of a range whose fees they share in.

Two bounds: the countries that texts may go to (`MINGUS_SMS_COUNTRIES`), and abroad a pace per block of 10,000 numbers
(`MINGUS_SMS_BLOCK_HOURLY`): for new numbers, and for texts, over all workers together in any sliding hour.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from core.errors import InvalidAddress
from core.settings import settings
from core.vocabulary import Channel
from delivery import throttle
from delivery.throttle import Bucket, TokenRequest

log = logging.getLogger(__name__)

HOME = frozenset({"US", "CA", "PR", "VI", "GU", "AS", "MP"})
"""Where a text costs a cent or so and nobody earns by receiving it: no pace there."""
HOUR = 3600.0
_LINE_DIGITS = 4


def serves(channel: Channel, country: str) -> bool:
    """Whether messages of `channel` may go to `country`."""
    served = settings().sms_countries
    return channel is not Channel.SMS or not served or country in served


def paced(channel: Channel, country: str) -> bool:
    """Whether numbers of `country` are held to a pace per block."""
    return channel is Channel.SMS and country not in HOME and settings().sms_block_hourly > 0


def block(address: str) -> str:
    """The block that a number (E.164) lies in: all but its last four digits, which would tell whose it is."""
    return address[:-_LINE_DIGITS]


def bucket(number_block: str, *, of: str = "texts") -> Bucket:
    """The pace of a block: `of` texts, or of new numbers."""
    return Bucket(key=f"block:{of}:{number_block}", limit=settings().sms_block_hourly, seconds=HOUR)


@dataclass(frozen=True, slots=True)
class NewNumber:
    """A contact point about to be added."""

    id: UUID
    channel: Channel
    country: str
    address: str


def admit(new: Sequence[NewNumber]) -> None:
    """Let new contact points in; InvalidAddress for a country not served, or a block that grows too fast."""
    for each in new:
        if not serves(each.channel, each.country):
            raise InvalidAddress(
                "phone", f"is a number of {each.country or 'no country'}, which gets no texts from us"
            )
    asking = [(each, block(each.address)) for each in new if paced(each.channel, each.country)]
    answers = throttle.spend(
        [
            TokenRequest(holder=each.id.hex, tokens=[(bucket(where, of="new"), 1)], before=0.0)
            for each, where in asking
        ]
    )
    for (_, where), answer in zip(asking, answers, strict=True):
        if answer.wait != 0 and not answer.redis_away:
            log.error("number_block_too_fast", extra={"block": where, "hourly": settings().sms_block_hourly})
            raise InvalidAddress("phone", "is one of too many new numbers of its range in an hour: try later")
