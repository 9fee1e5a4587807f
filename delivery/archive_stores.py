"""Where archived pages lie: a bucket of any S3-like service, or a folder when none is named."""

import os
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from core.errors import MingusError
from core.settings import Settings, settings

FOLDER = "archive"
AT_ONCE = 1000
"""Keys of one list or delete call, S3's limit."""
GONE = frozenset({"NoSuchKey", "404", "NotFound"})


class ArchiveAway(MingusError):
    """The archive can't be reached or refuses: nothing is known to be stored; do without, or try again later."""


class Store(Protocol):
    """What an archive can do; all may raise ArchiveAway."""

    def put(self, key: str, data: bytes) -> None:
        """Stores or replaces."""

    def get(self, key: str) -> bytes | None:
        """The stored bytes; None when there are none."""

    def keys(self, prefix: str) -> Iterator[str]:
        """All keys that begin so."""

    def delete(self, keys: Iterable[str]) -> None:
        """Deletes; what is not there is no error."""


class Folder:
    """Files below `var/`, readable by this account only."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put(self, key: str, data: bytes) -> None:
        """Written beside and moved into place, so that nobody reads half a page."""
        path = self._root / key
        beside = path.with_suffix(f".{os.getpid()}.part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            beside.write_bytes(data)
            beside.chmod(0o600)
            beside.replace(path)
        except OSError as error:
            raise ArchiveAway(f"the folder does not take it: {error.strerror}") from error

    def get(self, key: str) -> bytes | None:
        """The file's bytes."""
        try:
            return (self._root / key).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ArchiveAway(f"the folder does not give it: {error.strerror}") from error

    def keys(self, prefix: str) -> Iterator[str]:
        """Keys in order."""
        for path in sorted((self._root / prefix).rglob("*")):
            if path.is_file():
                yield path.relative_to(self._root).as_posix()

    def delete(self, keys: Iterable[str]) -> None:
        """Unlinks the files."""
        for key in keys:
            (self._root / key).unlink(missing_ok=True)


class Bucket:
    """One bucket; objects are encrypted by the service too."""

    def __init__(self, client: Any, name: str, failures: tuple[type[Exception], ...]) -> None:
        self._client, self._name, self._failures = client, name, failures

    def put(self, key: str, data: bytes) -> None:
        """PutObject."""
        self._call("put_object", Key=key, Body=data, ServerSideEncryption="AES256")

    def get(self, key: str) -> bytes | None:
        """GetObject."""
        answer = self._call("get_object", Key=key)
        return None if answer is None else bytes(answer["Body"].read())

    def keys(self, prefix: str) -> Iterator[str]:
        """ListObjectsV2, page by page."""
        token: dict[str, str] = {}
        while True:
            answer = self._call("list_objects_v2", Prefix=prefix, MaxKeys=AT_ONCE, **token)
            yield from (each["Key"] for each in (answer or {}).get("Contents", ()))
            if not answer or not answer.get("IsTruncated"):
                return
            token = {"ContinuationToken": answer["NextContinuationToken"]}

    def delete(self, keys: Iterable[str]) -> None:
        """DeleteObjects, a thousand at a time."""
        rest = [{"Key": key} for key in keys]
        for start in range(0, len(rest), AT_ONCE):
            chunk = rest[start : start + AT_ONCE]
            self._call("delete_objects", Delete={"Objects": chunk, "Quiet": True})

    def _call(self, operation: str, **arguments: Any) -> Any:
        try:
            return getattr(self._client, operation)(Bucket=self._name, **arguments)
        except self._failures as error:
            code = str(getattr(error, "response", {}).get("Error", {}).get("Code", ""))
            if code in GONE and operation == "get_object":
                return None
            raise ArchiveAway(f"the bucket does not answer: {code or type(error).__name__}") from error


@lru_cache(maxsize=1)
def store() -> Store:
    """This process's archive: the bucket of MINGUS_ARCHIVE_BUCKET, else the folder."""
    return _made(settings())


def _made(config: Settings) -> Store:
    if not config.archive_bucket:
        return Folder(config.var / FOLDER)
    from delivery.providers.aws import FAILURES, client

    return Bucket(client("s3", config), config.archive_bucket, FAILURES)
