"""Is it alive, is it ready: for supervisors and load balancers."""

import asyncio
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from core.database import DATABASE_AWAY, transaction
from core.redis import REDIS_AWAY, client
from core.statements import rows

router = APIRouter()
MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process answers; says nothing of what it needs."""
    return {"status": "alive"}


@router.get("/readyz")
async def readyz() -> JSONResponse:
    """200 when everything that the web app needs answers; 503 with what is away."""
    found = await asyncio.gather(*(asyncio.to_thread(probe) for probe in PROBES.values()))
    parts = dict(zip(PROBES, found, strict=True))
    ready = all(state == "ok" for state in parts.values())
    return JSONResponse({"ready": ready, **parts}, status_code=200 if ready else 503)


def _postgres() -> str:
    try:
        with transaction() as connection:
            at = [row[0] for row in rows(connection, "SELECT version_num FROM alembic_version")]
    except DATABASE_AWAY as error:
        return f"away: {type(error).__name__}"
    return "ok" if at == [head()] else f"not migrated: at {', '.join(at) or 'nothing'}, head is {head()}"


def _redis() -> str:
    try:
        client().ping()
    except REDIS_AWAY as error:
        return f"away: {type(error).__name__}"
    return "ok"


PROBES: dict[str, Callable[[], str]] = {"postgres": _postgres, "redis": _redis}


@lru_cache(maxsize=1)
def head() -> str:
    """The newest migration of this checkout."""
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return str(ScriptDirectory.from_config(config).get_current_head())
