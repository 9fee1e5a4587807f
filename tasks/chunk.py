"""Many notifications of one lane in one queue message: Celery's price is paid once per chunk."""

from core.ids import read_id
from tasks.app import app
from tasks.delivering import deliver_safely


@app.task(name="tasks.deliver_chunk")
def deliver_chunk(ids: list[str]) -> None:
    """Deliver the notifications with these ids."""
    deliver_safely([read_id(each) for each in ids])
