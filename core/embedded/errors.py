from core.errors import MingusError


class EmbeddedServerError(MingusError):
    """Parent of all that may go wrong with an embedded server."""


class ServerMissingError(EmbeddedServerError):
    """No server program was found; the text names the package that brings it."""


class ServerInUseError(EmbeddedServerError):
    """A live server already works on this folder; the text names its process."""


class ServerStartError(EmbeddedServerError):
    """The server ended or was not ready in time; the text holds the end of its log."""
