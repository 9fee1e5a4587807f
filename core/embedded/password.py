import secrets
from pathlib import Path


def kept_password(home: Path) -> str:
    """The password of the server in `home`, made once: loopback is shared by every account of the machine."""
    kept = home / "password"
    if not kept.exists():
        kept.touch(mode=0o600)
        kept.write_text(secrets.token_hex(16))
    return kept.read_text()
