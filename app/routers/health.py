"""Health: what a supervisor and a load balancer ask."""

from typing import Literal

from fastapi import APIRouter, Request
from pydantic import Field

from app.core import schema
from app.core.db import Database
from app.core.errors import Unavailable
from app.core.problems import responses
from app.core.shapes import ResponseShape
from app.routers.deps import ALWAYS

router = APIRouter(prefix="/health", tags=["Service"], responses=responses(*ALWAYS))


class Health(ResponseShape):
    """The service is well."""

    status: Literal["ok"] = Field(description="Always `ok`; what is not well is a problem.", examples=["ok"])


@router.get("/live")
async def read_liveness() -> Health:
    """Say whether the process is alive.

    It asks nobody else: a process that answers need not be restarted.
    """
    return Health(status="ok")


@router.get("/ready", responses=responses(Unavailable))
async def read_readiness(request: Request) -> Health:
    """Say whether requests can be served.

    The database answers, and its schema is the one that this version was written for.
    """
    database: Database = request.app.state.database
    async with database.read() as session:
        connection = await session.connection()
        if await connection.run_sync(schema.pending_migrations):
            raise Unavailable
    return Health(status="ok")
