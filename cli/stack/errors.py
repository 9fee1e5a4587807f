from core.errors import MingusError


class StackError(MingusError):
    """Parent of all that may go wrong with the running stack."""


class StackRunningError(StackError):
    """Another run owns the folder; the text names its process."""


class StackNotRunningError(StackError):
    """Nothing runs in the folder."""


class StartFailedError(StackError):
    """A process did not come up; the text names it and holds the end of its log."""
