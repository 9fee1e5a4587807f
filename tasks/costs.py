"""What is looked after every minute or five: late receipts, budgets, and that the running totals are whole."""

from core.clock import utc_now
from tasks.app import app
from tasks.single_flight import single_flight


@app.task(name="tasks.poll_unconfirmed")
@single_flight("poll_unconfirmed")
def poll_unconfirmed() -> None:
    """Ask providers for messages whose receipt is late."""
    from delivery import polling

    polling.poll_unconfirmed()


@app.task(name="tasks.watch_budgets")
@single_flight("watch_budgets")
def watch_budgets() -> None:
    """Tell operators which marks the budgets have passed."""
    from delivery import budgets

    budgets.watch(utc_now())


@app.task(name="tasks.rebuild_counters")
@single_flight("rebuild_counters")
def rebuild_counters() -> None:
    """Put today's running totals right, should a process have died between a commit and its count."""
    from core.database import transaction
    from core.redis import REDIS_AWAY
    from delivery import counters

    try:
        with transaction() as connection:
            counters.rebuild(connection, utc_now().date())
    except REDIS_AWAY:
        return  # the next time, then
