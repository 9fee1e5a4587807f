"""The preference page behind a signed link: switches per category and channel, pauses, caps, hours, language and zone."""

from collections.abc import Mapping
from typing import Annotated
from zoneinfo import available_timezones

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from core.clock import utc_now
from core.database import transaction
from core.errors import InvalidRequest
from core.vocabulary import Category, Channel
from delivery import opt_out, preferences
from delivery.consents import ConsentEntry
from delivery.preference_form import parse
from delivery.preferences import Wishes, offered, switches
from web.pages import client_of, form_of, page
from web.people import Holder, holder_of

router = APIRouter(prefix="/preferences/{token}")
Form = Annotated[dict[str, str], Depends(form_of)]

CATEGORIES: Mapping[Category, tuple[str, str]] = {
    Category.SECURITY: ("Security", "Overdrafts, large payments and anything that can't wait."),
    Category.PAYMENTS: ("Payments", "Bills that are due soon."),
    Category.WELLNESS: ("Wellness", "Check-ins, and goals that you have reached."),
    Category.REPORTS: ("Reports", "Your month in figures."),
    Category.CAREER: ("Career", "Pay and demand in your line of work."),
    Category.EDUCATION: ("Learning", "Money matters, explained."),
    Category.ONBOARDING: ("Getting started", "Steps for your first weeks."),
}
CHANNELS = {Channel.SMS: "Text", Channel.EMAIL: "Mail"}
LOCALES = {
    "en_US": "English (US)",
    "en_GB": "English (UK)",
    "es_US": "Español (EE. UU.)",
    "es_MX": "Español (México)",
}
USUAL_ZONES = (
    "America/New_York", "America/Chicago", "America/Denver", "America/Phoenix", "America/Los_Angeles",
    "America/Anchorage", "Pacific/Honolulu", "America/Puerto_Rico",
)  # fmt: skip


@router.get("")
@router.head("", include_in_schema=False)
def show(token: str, saved: str = "", under_way: str = "") -> HTMLResponse:
    """The wishes as they stand."""
    holder = holder_of(token)
    with transaction() as connection:
        wishes = preferences.read(connection, holder.user_id)
    return _page(holder, _as_form(wishes), saved=saved, under_way=under_way == "yes")


@router.post("")
def save(token: str, form: Form) -> Response:
    """Save all of it, or say which field is wrong and save nothing."""
    holder = holder_of(token)
    try:
        wishes = parse(form, utc_now())
    except InvalidRequest as error:
        return _page(holder, form, error=error, status=422)
    with transaction() as connection:
        preferences.save(connection, holder.user_id, wishes)
    return RedirectResponse(f"/preferences/{token}?saved=wishes", 303)


@router.post("/stop")
def stop(token: str, request: Request, form: Form) -> Response:
    """Withdraw every consent on one channel: as easy as giving it was (GDPR 7.3)."""
    holder = holder_of(token)
    if form.get("channel") not in set(Channel):
        raise InvalidRequest("channel", f"must be one of {', '.join(Channel)}")
    channel = Channel(form["channel"])
    ip, agent = client_of(request)
    complete = opt_out.withdraw(
        [
            ConsentEntry(
                user_id=holder.user_id,
                channel=channel,
                purpose=purpose,
                granted=False,
                method="preference_page",
                source=f"notification:{holder.notification_id}",
                ip=ip,
                agent=agent,
            )
            for way, purpose in sorted(holder.allowed)
            if way is channel
        ]
    )
    return RedirectResponse(
        f"/preferences/{token}?saved={channel}{'' if complete else '&under_way=yes'}", 303
    )


def _page(
    holder: Holder,
    form: Mapping[str, str],
    *,
    saved: str = "",
    under_way: bool = False,
    error: InvalidRequest | None = None,
    status: int = 200,
) -> HTMLResponse:
    reachable = {channel: name for channel, name in CHANNELS.items() if channel in holder.addresses}
    return page(
        "preferences",
        status,
        token=holder.token,
        addresses=holder.addresses,
        channels=reachable,
        stopped={channel for channel in reachable if all(way is not channel for way, _ in holder.allowed)},
        categories=CATEGORIES,
        switches=switches(),
        offered=offered(),
        locales=LOCALES
        | ({form["locale"]: form["locale"]} if form.get("locale", "en_US") not in LOCALES else {}),
        usual_zones=USUAL_ZONES,
        zones=sorted(name for name in available_timezones() if "/" in name and not name.startswith("Etc/")),
        form=form,
        saved=saved,
        under_way=under_way,
        error=error,
        clock=utc_now(),
    )


def _as_form(wishes: Wishes) -> dict[str, str]:
    """The wishes under the names and in the spelling of `delivery.preference_form`."""
    said: dict[str, object] = {
        "zone": wishes.time_zone,
        "locale": wishes.locale,
        "paused_until": wishes.paused_until,
        "quiet_from": wishes.quiet_from and f"{wishes.quiet_from:%H:%M}",
        "quiet_until": wishes.quiet_until and f"{wishes.quiet_until:%H:%M}",
    }
    for category, wish in wishes.categories.items():
        said |= {
            f"{category}.{channel}": "on" if enabled else "" for channel, enabled in wish.enabled.items()
        }
        said |= {
            f"{category}.cap": wish.weekly_cap,
            f"{category}.minimum": wish.minimum_amount,
            f"{category}.digest": "on" if wish.digest else "",
            f"{category}.from": wish.preferred_from and f"{wish.preferred_from:%H:%M}",
            f"{category}.until": wish.preferred_until and f"{wish.preferred_until:%H:%M}",
        }
    return {name: "" if value is None else str(value) for name, value in said.items()}
