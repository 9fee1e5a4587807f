"""A report as it lies in the archive: the mail as it was written, from which its page, pictures and PDF are made."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

from delivery.messages import RenderedMessage


@dataclass(frozen=True, slots=True)
class ArchivedReport:
    """The text part, the HTML with `cid:` images, and the PNGs by content id."""

    text: str
    html: str
    pictures: Mapping[str, bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, message: RenderedMessage) -> "ArchivedReport":
        """A rendered mail without what is not an inline image."""
        return cls(
            message.body,
            message.html,
            {each.content_id: each.content for each in message.attachments if each.content_id},
        )

    @classmethod
    def parse(cls, text: str) -> "ArchivedReport":
        """What `dump` wrote."""
        data = orjson.loads(text)
        pictures = {name: base64.b64decode(content) for name, content in data["pictures"].items()}
        return cls(data["text"], data["html"], pictures)

    def dump(self) -> str:
        """As text for the archive."""
        pictures = {name: base64.b64encode(content).decode() for name, content in self.pictures.items()}
        return orjson.dumps({"text": self.text, "html": self.html, "pictures": pictures}).decode()

    def page(self) -> str:
        """The mail as a page that needs nothing from elsewhere."""
        html = self.html
        for name, content in self.pictures.items():
            html = html.replace(f"cid:{name}", f"data:image/png;base64,{base64.b64encode(content).decode()}")
        return html
