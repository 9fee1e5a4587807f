"""What sending costs, in Decimal USD: estimated before the call, settled with the provider's real price after."""

from decimal import Decimal

from core.settings import settings
from core.vocabulary import Channel


def unit_price(channel: Channel) -> Decimal:
    """USD per unit of `channel`: per SMS segment, per mail."""
    return settings().sms_price if channel is Channel.SMS else settings().email_price


def estimate(channel: Channel, units: int) -> Decimal:
    """USD that `units` will cost, exact."""
    return unit_price(channel) * units
