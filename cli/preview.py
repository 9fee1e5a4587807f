"""`mingus preview TYPE --user U`: the message as it would leave, its segments and its cost, before anything is sent."""

import tempfile
import webbrowser
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer


def preview(
    message_type: Annotated[str, typer.Argument(help="a name of the catalog, e.g. payment_reminder")],
    user: Annotated[str, typer.Option(help="whose name, language and time zone")],
    payload: Annotated[str, typer.Option(help="JSON of the payload; the type's example when left out")] = "",
    open_html: Annotated[bool, typer.Option("--open/--no-open", help="show the mail in the browser")] = True,
) -> None:
    """Show text, HTML, segments and cost of a message on each of its channels."""
    from rich.console import Console

    from core.clock import utc_now
    from core.ids import new_id
    from core.settings import settings
    from delivery import costs
    from delivery.catalog import message_type as row_of
    from delivery.content import RenderRequest, validate_payload
    from delivery.content import preview as rendered
    from delivery.signed_links import links_for

    console = Console()
    row = row_of(message_type)
    data = _payload(payload, dict(row.example))
    validate_payload(row, data)
    person = _person(user)
    for channel in row.channels:
        if not row.allows(channel):
            continue
        request = RenderRequest(
            message_type=row, channel=channel, payload=data, person=person, now=utc_now(), links=links_for(new_id()),
            postal_address=settings().postal_address,
        )  # fmt: skip
        price = costs.unit_price(channel, on=utc_now().date())
        shown = rendered(request, price=price)
        counted = f", {shown.segments.encoding} {shown.segments.units} units" if shown.segments else ""
        console.rule(
            f"{channel} · {shown.message.units} × unit{counted} · {shown.cost} USD · {shown.message.template}"
        )
        if shown.message.subject:
            console.print(shown.message.subject, style="bold", markup=False, highlight=False)
        console.print(shown.message.body, markup=False, highlight=False)
        first = rendered(replace(request, first_of_programme=True), price=price)
        if first.message.body != shown.message.body:
            console.print(
                f"The first one that a person gets ends with “{first.message.body.splitlines()[-1]}”:"
                f" {first.message.units} × unit, {first.cost} USD",
                style="dim",
            )
        if shown.message.html:
            page = Path(tempfile.mkdtemp(prefix="mingus-preview-")) / f"{message_type}.html"
            page.write_text(shown.message.html, encoding="utf-8")
            console.print(f"HTML: {page}")
            if open_html:
                webbrowser.open(page.as_uri())


def _payload(text: str, example: dict[str, Any]) -> dict[str, Any]:
    import orjson

    from core.errors import InvalidRequest

    if not text:
        return example
    try:
        data = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest("--payload", f"is not JSON: {error}") from None
    if not isinstance(data, dict):
        raise InvalidRequest("--payload", "must be a JSON object")
    return data


def _person(user_id: str) -> Any:
    from core.database import session
    from core.errors import UnknownUser
    from core.models import User
    from core.sealing import unseal
    from delivery.content import Person
    from delivery.loading import NAME_PLACE

    with session() as orm:
        found = orm.get(User, user_id)
        if found is None:
            raise UnknownUser("--user", f"no user {user_id!r}")
        name = unseal(found.name_sealed, place=NAME_PLACE, row=user_id) if found.name_sealed else ""
        return Person(name=name, locale=found.locale, time_zone=found.time_zone)
