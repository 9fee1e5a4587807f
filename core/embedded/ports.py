import socket
from contextlib import ExitStack


def free_port() -> int:
    """A TCP port that is free on 127.0.0.1 now; the caller binds it soon, since nothing reserves it."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """That many different free ports on 127.0.0.1: all are held open until the last one is found."""
    with ExitStack() as held:
        sockets = [
            held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) for _ in range(count)
        ]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def port_is_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
