"""What the control API answers to a request that it can't carry out."""


class BadRequestError(ValueError):
    """A wrong control request: the field that is wrong, the mend, and the HTTP status of the answer."""

    def __init__(self, field: str, message: str, status: int = 422) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message
        self.status = status
