import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType

import typer

from cli.folder import DEFAULT_VAR, Var

ENDED_BY = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Ended(BaseException):
    """The user or the system asked us to end; a BaseException, so that no clean-up takes it for a failure."""


def up(var: Var = DEFAULT_VAR) -> None:
    """Run everything until Ctrl-C; addresses and process numbers stand in var/stack.json."""
    from rich.console import Console

    from cli.stack import Stack, StackError

    console = Console(highlight=False, soft_wrap=True)
    stack = Stack(
        var, report=lambda name, seconds: console.print(f"  [green]✓[/] {name:16} {seconds:5.1f} s")
    )
    with ended_by_signals():
        try:
            console.print(f"Starting MINGUS in {stack.var} (logs in {stack.var / 'log'})")
            stack.start()
            for line in introduction(stack.site.modes, stack.urls, stack.env):
                console.print(line)
            while stack.is_alive:
                time.sleep(0.5)
            raise StackError(f"The supervisor has ended; see {stack.log('supervisor')}.")
        except Ended:
            console.print("Stopping …")
        finally:
            with ignoring_signals():
                stack.stop()
    console.print("Stopped. Nothing is left running.")


def introduction(modes: Mapping[str, str], urls: Mapping[str, str], env: Mapping[str, str]) -> Iterator[str]:
    """What a newcomer wants to know of a running stack, line by line in rich's markup."""
    for provider in ("twilio", "resend"):
        real = modes[provider] == "real"
        yield (
            f"[bold red]{provider}: REAL credentials: messages go to real people[/]"
            if real
            else f"[bold]{provider}: sandbox: nothing leaves this machine[/]"
        )
    for store in ("postgres", "redis"):
        yield f"{store}: {'as given in the environment' if modes[store] == 'real' else 'embedded'}"
    for name, url in urls.items():
        yield f"  {name:10} {url}"
    yield f"  Prefect's interface asks for: {env['PREFECT_API_AUTH_STRING']}"
    yield 'Talk to it from another shell: eval "$(.venv/bin/mingus env)"; celery -A tasks inspect ping'
    yield "Ctrl-C stops everything."


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Turns Ctrl-C, SIGTERM and SIGHUP into Ended; leaves alone what the caller ignores (nohup)."""

    def end(_number: int, _frame: FrameType | None) -> None:
        raise Ended

    before = {number: signal.getsignal(number) for number in ENDED_BY}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN or number is signal.SIGTERM:
            signal.signal(number, end)
    try:
        yield
    except Ended:  # between two statements of ours
        raise typer.Exit(130) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def ignoring_signals() -> Iterator[None]:
    """Lets a clean-up finish; an impatient second Ctrl-C must not leave processes behind."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in ENDED_BY}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
