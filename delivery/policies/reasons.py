"""Why a message waits or is not sent: every code that a verdict may carry, with a sentence for people.

The codes are stable: they are stored with notifications, counted in metrics and asked for by support.
"""

from enum import StrEnum
from typing import Self


class Reason(StrEnum):
    """A verdict's reason; `sentence` says it to a person."""

    sentence: str

    def __new__(cls, code: str, sentence: str) -> Self:
        member = str.__new__(cls, code)
        member._value_ = code
        member.sentence = sentence
        return member

    # expiry
    EXPIRED = "expired", "The message's time was over before it could be sent."

    # consent
    UNKNOWN_USER = "unknown_user", "There is no such user any more."
    USER_ERASED = "user_erased", "The user's data was erased at their request."
    NO_CONSENT = "no_consent", "The user has not agreed to messages of this purpose on this channel."
    CONSENT_WITHDRAWN = "consent_withdrawn", "The user has withdrawn their consent or objected."
    CONSENT_LEVEL_TOO_LOW = (
        "consent_level_too_low",
        "The user's consent to texts is weaker than this kind of message needs (TCPA).",
    )
    CONSENT_NOT_CONFIRMED = (
        "consent_not_confirmed",
        "The user has not confirmed their address yet (double opt-in).",
    )

    # suppression
    NO_CONTACT_POINT = "no_contact_point", "The user has no address on this channel."
    SUPPRESSED = "suppressed", "The address is on the suppression list."
    SUPPRESSED_HARD_BOUNCE = "suppressed_hard_bounce", "The address bounced for good."
    SUPPRESSED_SOFT_BOUNCE = "suppressed_soft_bounce", "The address bounced too often of late."
    SUPPRESSED_COMPLAINT = "suppressed_complaint", "The recipient reported an earlier message as spam."
    SUPPRESSED_OPTED_OUT = "suppressed_opted_out", "The recipient opted out at the carrier or provider."
    SUPPRESSED_INVALID_ADDRESS = "suppressed_invalid_address", "The address can't receive such messages."
    SUPPRESSED_MANUAL = "suppressed_manual", "Somebody of ours put the address on the suppression list."

    # preferences
    CHANNEL_DISABLED = "channel_disabled", "The user has switched this category off on this channel."
    BELOW_MINIMUM_AMOUNT = "below_minimum_amount", "The amount is below the user's threshold."
    PAUSED = "paused", "The user has paused these messages; it waits for the end of the pause."
    PAUSED_PAST_EXPIRY = "paused_past_expiry", "The user's pause ends after the message's time is over."
    OUTSIDE_PREFERRED_HOURS = "outside_preferred_hours", "It waits for the hours that the user prefers."

    # digest
    DIGEST = "digest", "The user wants several in one message; it waits for their hour of gathering."
    IN_DIGEST = "in_digest", "It went into one message with others, as the user wants it."

    # quiet hours
    QUIET_HOURS = "quiet_hours", "It waits for the hours in which the recipient may be written to."
    EXPIRED_BEFORE_WINDOW = "expired_before_window", "The permitted hours open after its time is over."
    NO_PERMITTED_HOURS = "no_permitted_hours", "Law and wishes together leave no permitted hour."

    # frequency
    DAILY_LIMIT = "daily_limit", "The user has had enough of this type today; it waits for a free slot."
    WEEKLY_CAP = "weekly_cap", "The user has had as many of this category this week as they want."
    SUBJECT_CAP = "subject_cap", "The recipient's state limits messages on one subject per 24 hours."
    CAPPED_PAST_EXPIRY = "capped_past_expiry", "The next free slot comes after the message's time is over."
    CAP_IS_ZERO = "cap_is_zero", "The limit for this user is zero."

    # destination and budget
    COUNTRY_NOT_SERVED = (
        "country_not_served",
        "Texts to this country are switched off (MINGUS_SMS_COUNTRIES).",
    )
    NUMBER_BLOCK_PACED = (
        "number_block_paced",
        "The number lies in a block abroad that has had its texts of this hour (MINGUS_SMS_BLOCK_HOURLY).",
    )
    BUDGET_EXHAUSTED = (
        "budget_exhausted",
        "The budget of the day or month is spent; what is not critical waits for the next one.",
    )

    # rate limit
    CHANNEL_FORBIDDEN = "channel_forbidden", "This type of message may not use this channel at all."
    RATE_LIMITED = "rate_limited", "The limit per minute is reached; it waits for its own reserved token."
    NO_TOKEN_BEFORE_EXPIRY = (
        "no_token_before_expiry",
        "The queue for tokens is longer than the message's lifetime.",
    )
    LIMITER_AWAY = "limiter_away", "The limiter can't be reached; it waits, critical messages go on."
