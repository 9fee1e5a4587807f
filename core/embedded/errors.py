class EmbeddedServerError(Exception):
    """Parent of all that may go wrong with an embedded server."""


class ServerBinaryMissing(EmbeddedServerError):
    """No server program was found; the text names the package that brings it."""


class ServerInUse(EmbeddedServerError):
    """A live server already works on this folder; the text names its process."""


class ServerDidNotStart(EmbeddedServerError):
    """The server ended or was not ready in time; the text holds the end of its log."""
