"""Monthly reports for many people, the flow killed outright again and again: everybody gets one, nobody gets two.

    python -m benchmarks.reports_resumed [people] [kills] [inline | hosted]

Everything is real: the servers, the workers, the simulator of the provider, and `kill -9` of the flow's process at
random moments. What is counted in the end is what the provider took, by address.
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from analytics.months import Month

RUN = "from flows.monthly_reports import monthly_reports; print(monthly_reports(month={month!r}, pictures={pictures!r}))"
MOVED = (("income", "Payroll", 3200), ("housing", "Rent", -1200), ("groceries", "Fresh Market", -310),
         ("dining", "Bistro 21", -140), ("transport", "Metro", -70), ("subscriptions", "Streamly", -13))  # fmt: skip
SETTLE_SECONDS = 1800


def main(people: int, kills: int, pictures: str) -> int:
    """Prints what happened; the number of broken promises."""
    from cli.stack import Stack
    from core.clock import utc_now

    month = Month.of(utc_now().date()).plus(-1)
    limits = {"MINGUS_LIMIT_MONTHLY_REPORT_EMAIL": "10000000", "MINGUS_ARCHIVE_BUCKET": ""}
    with (
        tempfile.TemporaryDirectory(prefix="mingus-reports-", ignore_cleanup_errors=True) as folder,
        Stack(Path(folder), environ={**os.environ, **limits}) as stack,
    ):
        os.environ.update({**limits, **stack.env})
        began = time.monotonic()
        _write_people(people, month)
        print(f"{people:,} people written in {time.monotonic() - began:.0f} s")
        command = [sys.executable, "-c", RUN.format(month=str(month), pictures=pictures)]
        began = time.monotonic()
        marks = sorted(random.Random(people).uniform(0.05, 0.9) for _ in range(kills))
        for mark in marks:
            _run_until(command, max(round(people * mark), _accepted() + 1))
            print(f"killed with {_accepted():,} accepted after {time.monotonic() - began:.0f} s")
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        took = time.monotonic() - began
        print(f"{_accepted():,} accepted after {took:.0f} s: {people / took:.0f}/s with {kills} kills")
        _settle()
        print(f"all are sent after {time.monotonic() - began:.0f} s")
        return _tell(_mails(stack.urls["sandbox"]), people)


def _write_people(people: int, month: Month) -> None:
    from core.clock import utc_now
    from core.database import transaction
    from core.ids import new_id
    from core.statements import insert_rows
    from delivery.people import NewPerson, add_people

    dice = random.Random(8)
    for start in range(0, people, 2000):
        chunk = range(start, min(start + 2000, people))
        ids = [f"user_{number:07d}" for number in chunk]
        with transaction() as connection:
            add_people(
                connection,
                [
                    NewPerson(
                        id=user, name="Maya Reader", email=f"{user}@mail.example",
                        joined_at=utc_now() - timedelta(days=400),
                    )
                    for user in ids
                ],
                known=True,
            )  # fmt: skip
            insert_rows(
                connection,
                "INSERT INTO transactions (id, user_id, booked_on, amount, category, merchant) VALUES %s",
                [
                    (
                        new_id(),
                        user,
                        month.plus(-back).first,
                        round(amount * dice.uniform(0.8, 1.2), 2),
                        kind,
                        name,
                    )
                    for user in ids
                    for back in range(4)
                    for kind, name, amount in MOVED
                ],
            )


def _run_until(command: Sequence[str], wanted: int) -> None:
    """Starts the flow and ends it without a warning once so many reports are accepted."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while _accepted() < wanted and process.poll() is None:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()


def _count(condition: str) -> int:
    from core.database import transaction
    from core.statements import rows

    with transaction() as connection:
        sql = f"SELECT count(*) FROM notifications WHERE message_type = 'monthly_report' AND {condition}"
        return int(rows(connection, sql)[0][0])


def _accepted() -> int:
    return _count("true")


def _settle() -> None:
    until = time.monotonic() + SETTLE_SECONDS
    while (
        _count("sent_at IS NULL AND state IN ('accepted', 'claimed', 'unknown')") and time.monotonic() < until
    ):
        time.sleep(1)


def _mails(sandbox: str) -> Counter[str]:
    """How many mails the provider took for each address."""
    import httpx

    answer = httpx.get(
        f"{sandbox}_sandbox/messages", params={"outcome": "accepted"}, timeout=300, trust_env=False
    )
    messages: list[dict[str, Any]] = answer.raise_for_status().json()["messages"]
    return Counter(str(each["to"]) for each in messages)


def _tell(mails: Counter[str], people: int) -> int:
    twice = sum(count > 1 for count in mails.values())
    print(f"the provider took {mails.total():,} reports for {len(mails):,} people; {twice} got more than one")
    return twice + abs(people - len(mails))


if __name__ == "__main__":
    given = sys.argv[1:]
    sys.exit(
        main(
            int(given[0]) if given else 3000,
            int(given[1]) if len(given) > 1 else 3,
            given[2] if len(given) > 2 else "inline",
        )
    )
