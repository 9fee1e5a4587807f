"""Who carries messages: the explicit registry. docs/adding-a-provider.md tells how to add a line.

An SDK is imported when its provider is first built: importing this package costs nothing.
"""

import os
from collections.abc import Callable, Mapping
from functools import cache

from core.settings import Settings, settings
from core.vocabulary import Channel
from delivery.providers.base import Provider


def _twilio(given: Settings) -> Provider:
    from delivery.providers.twilio import TwilioProvider

    return TwilioProvider(given)


def _resend(given: Settings) -> Provider:
    from delivery.providers.resend import ResendProvider

    return ResendProvider(given)


def _sns(given: Settings) -> Provider:
    from delivery.providers.sns import SnsProvider

    return SnsProvider(given)


def _ses(given: Settings) -> Provider:
    from delivery.providers.ses import SesProvider

    return SesProvider(given)


REGISTRY: Mapping[str, Callable[[Settings], Provider]] = {
    "twilio": _twilio,
    "resend": _resend,
    "sns": _sns,
    "ses": _ses,
}


@cache
def provider(name: str) -> Provider:
    """This process's one provider of that name, built at first use; KeyError for a name outside the registry."""
    return REGISTRY[name](settings())


def configured(given: Settings) -> dict[Channel, tuple[str, ...]]:
    """Channel → names of the providers that have what they need, in the order in which they are tried."""
    carriers = {
        Channel.SMS: {"twilio": bool(given.twilio_account_sid), "sns": given.sns_enabled},
        Channel.EMAIL: {"resend": bool(given.resend_api_key.get_secret_value()), "ses": given.ses_enabled},
    }
    return {
        channel: tuple(name for name, usable in names.items() if usable)
        for channel, names in carriers.items()
    }


# Connections and threads don't survive a fork; tests clear it too, to build from other settings.
os.register_at_fork(after_in_child=provider.cache_clear)
