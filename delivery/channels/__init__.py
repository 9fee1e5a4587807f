"""The channels: how an address looks and how content becomes a rendered message."""

from collections.abc import Mapping

from core.vocabulary import Channel
from delivery.channels.base import Address, ChannelKind, Draft
from delivery.channels.email import EmailChannel
from delivery.channels.sms import SmsChannel

CHANNELS: Mapping[Channel, ChannelKind] = {
    Channel.SMS: SmsChannel(),
    Channel.EMAIL: EmailChannel(),
}

__all__ = ["CHANNELS", "Address", "ChannelKind", "Draft"]
