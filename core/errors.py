"""Errors named by what the caller does next.

MingusError
├── SettingsError            the environment is wrong: mend the named variable and start again
├── InvalidRequest           the caller's input is wrong: mend the named field
│   ├── UnknownUser          no such user
│   ├── UnknownMessageType   no such row in the catalog
│   ├── InvalidTemplate      a template that may not be rendered
│   ├── MissingVariable      the template names what the data lacks
│   └── InvalidAddress       not a phone number or mail address
├── IdempotencyConflict      the same key came with other content
├── NotAccepted              the truth could not be written, or not surely: try again under the same key
├── InvalidSignature         a callback that its provider did not sign
└── SealBroken               a sealed value that was moved, changed or sealed under an unknown key
"""


class MingusError(Exception):
    """The root of every error that this project raises on purpose."""


class SettingsError(MingusError):
    """A setting is missing or malformed; the message names the variable and the mend."""


class InvalidRequest(MingusError):
    """The caller's input can't be accepted; `field` says which part and the text says the mend."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(field, problem)
        self.field = field
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.field}: {self.problem}"


class UnknownUser(InvalidRequest):
    """The user id is not in the database."""


class UnknownMessageType(InvalidRequest):
    """The message type has no row in the catalog."""


class InvalidTemplate(InvalidRequest):
    """The template uses what templates may not use."""


class MissingVariable(InvalidRequest):
    """The template names a variable that the data does not hold."""


class InvalidAddress(InvalidRequest):
    """The address can't belong to its channel."""


class IdempotencyConflict(MingusError):
    """The idempotency key was used before with other content; use a new key or the first content."""


class NotAccepted(MingusError):
    """The database did not confirm the notification: try again, under an idempotency key.

    Nothing was stored, unless the connection was lost in the very moment of the commit: then the key finds it.
    """


class InvalidSignature(MingusError):
    """A callback's signature is missing or wrong."""


class SealBroken(MingusError):
    """A sealed value does not open in this place: changed, moved to another row, or its key is unknown."""
