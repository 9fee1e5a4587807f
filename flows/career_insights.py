"""career-insights (weekly): how the wanted role is asked for, which skill would help most, and what it pays.

postings ─market, gaps, benchmark (once per role)▶ each person's view ─▶ accepted under `career_insights:2025-W05:user`
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from functools import lru_cache, partial
from typing import Any

from prefect import flow

from analytics.local_days import moment
from core.clock import utc_now
from flows.audience import EVERYBODY, Audience, Recipient, people_of
from flows.batch_results import finished
from flows.batch_values import Draft, LeftOut
from flows.batches import Batch, run

HOUR = 8


@flow(name="career-insights")
def career_insights(audience: Audience = EVERYBODY, dry_run: bool = False) -> Any:
    """One insight per person and ISO week, for those whose wanted role has postings enough."""
    now = utc_now()
    batch = Batch(
        message_type="career_insights",
        period=f"{now:%G-W%V}",
        prepare=partial(insights, now=now),
        now=now,
        dry_run=dry_run,
    )
    return finished(batch, run(batch, people_of(audience)))


def insights(people: Sequence[Recipient], now: datetime) -> Iterator[Draft | LeftOut]:
    """What the postings say to each."""
    from analytics.career import lacking, market, salary, skills_of
    from analytics.career_load import careers_of

    today = now.date()
    careers = careers_of([person.user_id for person in people])
    postings = _postings(today)
    asked = lru_cache(maxsize=None)(lambda role: market(postings, role, today))
    skills = lru_cache(maxsize=None)(lambda role: skills_of(postings, role))
    pays = lru_cache(maxsize=None)(lambda role, country: salary(postings, role, country, today))
    for person in people:
        career = careers.get(person.user_id)
        if career is None:
            yield LeftOut(person.user_id, "no career known", expected=True)
            continue
        demand = asked(career.wanted_role)
        if demand is None:
            yield LeftOut(person.user_id, "too few postings of the wanted role", expected=True)
            continue
        gaps = lacking(skills(career.wanted_role), career.skills)
        yield Draft(
            user_id=person.user_id,
            payload=payload_of(career, demand, gaps, pays(career.wanted_role, career.country)),
            deliver_after=moment(now, person.time_zone, HOUR).deliver_after,
        )


@lru_cache(maxsize=1)
def _postings(today: date) -> Any:
    from analytics.career_load import postings_until
    from analytics.load import reader

    with reader() as connection:
        return postings_until(connection, today)


def payload_of(career: Any, demand: Any, gaps: Sequence[Any], pay: Any) -> dict[str, Any]:
    """The payload of message type career_insights."""
    from analytics.career import standing

    payload: dict[str, Any] = {
        "role": demand.role,
        "insight": _SENTENCES[demand.trend].format(
            role=demand.role, now=demand.postings, before=demand.before
        ),
    }
    if gaps:
        payload["gaps"] = [{"name": gap.name, "share": round(gap.share * 100)} for gap in gaps]
    if pay is not None:
        figures, offers = pay
        payload |= {
            "salary_median": str(figures.median),
            "salary_low": str(figures.low),
            "salary_high": str(figures.high),
            "offers": figures.offers,
            "currency": figures.currency,
        }
        if career.salary is not None and career.salary.is_finite():
            place = standing(offers, career.salary)
            payload |= {
                "percentile": place.percentile,
                "percentile_low": place.low,
                "percentile_high": place.high,
            }
    return payload


_SENTENCES = {
    "growing": "{role} is asked for more than before: {now} postings in the last 90 days, {before} in the 90 days before.",
    "shrinking": "{role} is asked for less than before: {now} postings in the last 90 days, {before} in the 90 days before.",
    "steady": "Demand for {role} is steady: {now} postings in the last 90 days, {before} in the 90 days before.",
}
