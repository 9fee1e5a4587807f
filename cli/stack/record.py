"""`var/stack.json`: what runs, for people, scripts, `mingus env`, and the next start's search for leftovers."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

from cli.stack.errors import StackNotRunningError


@dataclass(frozen=True, slots=True)
class Record:
    """The running stack as data; `env` holds secrets, so the file is its owner's alone."""

    owner: int
    owner_created: float
    supervisor: int
    ready: bool  # false while processes still come up
    started_at: str
    modes: Mapping[str, str]
    urls: Mapping[str, str]
    ports: Mapping[str, int]
    pids: Mapping[str, int]
    env: Mapping[str, str] = field(repr=False)

    @property
    def is_alive(self) -> bool:
        """Whether the process that started the stack is still that process."""
        try:
            return bool(abs(psutil.Process(self.owner).create_time() - self.owner_created) < 1.0)
        except psutil.NoSuchProcess:
            return False


def record_file(var: Path) -> Path:
    """Where the record of the stack in `var` stands."""
    return var / "stack.json"


def write_record(var: Path, record: Record) -> None:
    """Writes the record so that a reader sees the old one or the new one, never a half."""
    write_private(record_file(var), json.dumps(asdict(record), indent=2))


def read_record(var: Path) -> Record:
    """The record of the stack in `var`, alive or not; raises StackNotRunningError when there is none."""
    try:
        return Record(**json.loads(record_file(var).read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        raise StackNotRunningError(
            f"Nothing runs in {var}: start it with `mingus up` or `make up`."
        ) from None


def write_private(file: Path, text: str) -> None:
    """Replaces a file that only its owner may read, in one step."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_text(text)
    draft.replace(file)
