"""The archive of reports: sealed pages, opened by a signed link, gone when their time or their person has gone.

A key is `reports/<digest of the person>/<month>`: it names nobody, and all of one person lies together for erasure.
"""

import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from core.crypto import keyring
from core.errors import InvalidRequest, InvalidSignature
from core.settings import settings
from delivery.archive_stores import ArchiveAway, store

__all__ = ["ArchiveAway", "erase", "key_of", "keys_of", "link_to", "purge", "read", "report_key", "write"]

PLACE = "archive.page"
PURPOSE = "report"
_KEY = re.compile(r"reports/[0-9a-f]{32}/\d{4}-(0[1-9]|1[0-2])")
THREADS = 16
"""Puts at a time: a bucket answers in tens of milliseconds."""


def report_key(user_id: str, month: str) -> str:
    """The key of a person's report; InvalidRequest when `month` is not such as 2025-01."""
    key = f"{_prefix(user_id)}{month}"
    if not _KEY.fullmatch(key):
        raise InvalidRequest("month", f"must look like 2025-01, not {month[:20]!r}")
    return key


def link_to(key: str) -> str:
    """The address of an archived page; only we can make one."""
    return f"{settings().public_base_url.rstrip('/')}/{key}/{keyring().sign(key, purpose=PURPOSE)}"


def key_of(key: str, signature: str) -> str:
    """The key that a genuine link stands for; InvalidSignature for any other."""
    if not _KEY.fullmatch(key) or not keyring().signed(key, signature, purpose=PURPOSE):
        raise InvalidSignature("this link was not made by us, or was changed")
    return key


def write(pages: Mapping[str, str]) -> None:
    """Seals and stores pages by key, several at a time; ArchiveAway when any of them was not taken.

    One goes ahead of the others: an archive that does not answer costs one time-out and not one per page.
    """
    target = store()

    def put(item: tuple[str, str]) -> None:
        key, page = item
        target.put(key, keyring().seal(page.encode(), place=PLACE, row=key))

    rest = iter(pages.items())
    for first in rest:
        put(first)
        break
    with ThreadPoolExecutor(THREADS) as pool:
        tries = [pool.submit(put, item) for item in rest]
        try:
            for each in tries:
                each.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def read(key: str) -> str | None:
    """The page; None when it is not (or no longer) there."""
    sealed = store().get(key)
    return None if sealed is None else keyring().open(sealed, place=PLACE, row=key).decode()


def keys_of(user_id: str) -> list[str]:
    """The keys of all that is archived of a person."""
    return sorted(store().keys(_prefix(user_id)))


def erase(user_id: str) -> int:
    """Deletes all that is archived of a person; how many pages that were."""
    return _delete(keys_of(user_id))


def purge(before: str) -> int:
    """Deletes the pages of months before `before` (2025-01); how many."""
    return _delete([key for key in store().keys("reports/") if key.rpartition("/")[2] < before])


def _delete(keys: list[str]) -> int:
    store().delete(keys)
    return len(keys)


def _prefix(user_id: str) -> str:
    return f"reports/{keyring().blind_index(user_id, purpose='archive')[:16].hex()}/"
