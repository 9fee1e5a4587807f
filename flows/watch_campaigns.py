"""watch-campaigns (every 5 minutes): live counts of the campaigns that have something waiting or lately sent, and a pause
for one that is badly received. Most of a campaign is sent long after its run: at people's own hours.
"""

from typing import Any

from prefect import flow, get_run_logger
from prefect.states import Completed

from core.database import transaction
from core.statements import rows
from delivery import campaigns
from flows.campaign_guard import judged, show

# Receipts and complaints come for some days after the last one was sent.
_WATCHED = """
SELECT c.name FROM campaigns c WHERE c.updated_at > now() - interval '3 days' OR EXISTS (
    SELECT FROM notifications n WHERE n.campaign = c.name
    AND (n.state IN ('accepted', 'claimed') OR n.sent_at > now() - interval '3 days'))
ORDER BY c.name
"""


@flow(name="watch-campaigns")
def watch_campaigns() -> Any:
    """Counts and judges every campaign that is on its way."""
    log = get_run_logger()
    with transaction() as connection:
        names = [name for (name,) in rows(connection, _WATCHED)]
    told = {}
    for name in names:
        before = campaigns.campaign_of(name)
        after = judged(before)
        held = campaigns.enforce(after)
        counts = show(after)
        if after.state != before.state:
            log.warning("campaign.paused name=%s because=%s", name, after.because)
        log.info("campaign.counts name=%s state=%s held=%d %s", name, after.state, held, counts)
        told[name] = {"state": after.state, "because": after.because, "counts": counts}
    paused = sum(each["state"] == campaigns.PAUSED for each in told.values())
    return Completed(message=f"{len(told)} campaigns watched, {paused} of them paused", data=told)
