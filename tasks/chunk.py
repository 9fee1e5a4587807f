"""Many notifications of one lane in one queue message: Celery's price is paid once per chunk."""

from uuid import UUID

from tasks.app import app
from tasks.delivering import deliver_safely


@app.task(name="tasks.deliver_chunk")
def deliver_chunk(ids: list[str]) -> None:
    """Deliver the notifications with these ids."""
    deliver_safely([UUID(each) for each in ids])
