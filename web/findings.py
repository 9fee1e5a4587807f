"""The newest results of the flows, for people who come from an artifact in the Prefect UI by its signed link."""

from fastapi import APIRouter
from fastapi.responses import Response

from analytics.findings import tables_of
from core.database import transaction
from web.pages import page

router = APIRouter()


@router.get("/findings/{name}/{signature}")
def findings(name: str, signature: str) -> Response:
    """The page of tables; 403 for a link that is not ours."""
    with transaction() as connection:
        tables = tables_of(connection, name, signature)
    return page("findings", title=name.replace("-", " ").capitalize(), tables=tables)
