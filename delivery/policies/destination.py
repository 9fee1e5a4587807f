"""The destination: texts go only to the countries that the settings name, whoever asks for them.

Premium ranges abroad are what SMS pumping lives on; a country that is not served can't be pumped.
"""

from collections.abc import Sequence
from datetime import datetime

from delivery import pumping
from delivery.policies.base import ALLOW, Candidate, Facts, Verdict
from delivery.policies.reasons import Reason


def check(candidates: Sequence[Candidate], facts: Facts, now: datetime) -> list[Verdict]:  # noqa: ARG001  every policy takes the same
    """Skip texts to countries that are not served; no urgency is above this."""
    served = {where: pumping.serves(*where) for where in {(one.channel, one.country) for one in candidates}}
    return [
        ALLOW
        if served[one.channel, one.country]
        else Verdict.skip(Reason.COUNTRY_NOT_SERVED, country=one.country)
        for one in candidates
    ]
