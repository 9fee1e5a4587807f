"""Stored templates: versioned folders `templates/<message type>/v<n>/`, or rows with the same parts.

A folder holds `sms.txt.j2`, `subject.txt.j2`, `preheader.txt.j2`, `email.html.j2`, `email.txt.j2` as its channels need
them, `fields.toml` (what the payload may hold), and a folder per language (`es/`) with the parts that are translated.
HTML bodies are put into `templates/layout/v<n>/email.html.j2`, whose style sheet is inlined once, when the part is
compiled. A version never changes once mails have been sent with it: a repeat must be byte for byte the same.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from core.errors import InvalidTemplate
from delivery.content.html_source import prepare
from delivery.content.localisation import localisation
from delivery.content.sandboxed_jinja import LONGEST_SOURCE, Environment, StoredPart

FOLDER = Path(__file__).parents[1] / "templates"
BRAND = "MINGUS"
_LAYOUT = "layout/v1"
_CONTENT = "{# content #}"
_PREHEADER = "{# preheader #}"
_BRAND = "{# brand #}"


@dataclass(frozen=True, slots=True)
class Field:
    """One name of a payload; a `needed` one must be given unless the payload brings its own template."""

    kind: str
    needed: bool = False
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredTemplate:
    """A template of one message type and version: sources by part, e.g. {"sms.txt": "…", "subject.txt": "…"}.

    `sources` are hashable pairs so that rows of a database can be compiled once and cached by their content.
    """

    name: str
    version: int
    sources: tuple[tuple[str, str], ...]
    fields: Mapping[str, Field] = field(default_factory=dict, compare=False)
    language: str = "en"

    @property
    def label(self) -> str:
        """How the template is named in the ledger, e.g. `payment_reminder/v1`."""
        return f"{self.name}/v{self.version}"


@lru_cache(maxsize=64)
def latest_version(name: str) -> int:
    """The newest version in the template folder; InvalidTemplate when there is none."""
    versions = [int(path.name[1:]) for path in (FOLDER / name).glob("v*") if path.name[1:].isdecimal()]
    if not versions:
        raise InvalidTemplate("template", f"there is no folder templates/{name}/v1")
    return max(versions)


@lru_cache(maxsize=256)
def stored_template(name: str, version: int, language: str = "en") -> StoredTemplate:
    """The template of a folder, translated where its folder has the language."""
    folder = FOLDER / name / f"v{version}"
    if not folder.is_dir():
        raise InvalidTemplate("template", f"there is no folder templates/{name}/v{version}")
    language = language if (folder / language).is_dir() else "en"
    sources = {path.name.removesuffix(".j2"): path for path in folder.glob("*.j2")}
    sources |= {path.name.removesuffix(".j2"): path for path in (folder / language).glob("*.j2")}
    texts = tuple(sorted((part, path.read_text(encoding="utf-8")) for part, path in sources.items()))
    return StoredTemplate(name, version, texts, _fields(folder / "fields.toml"), language)


@lru_cache(maxsize=512)
def compiled(template: StoredTemplate, part: str, locale: str) -> StoredPart:
    """One part ready to render in a locale; InvalidTemplate when the template lacks it or may not be rendered."""
    sources = dict(template.sources)
    name = f"{template.label}/{part}"
    if part not in sources:
        raise InvalidTemplate("template", f"{template.label} has no {part}")
    if len(sources[part]) > LONGEST_SOURCE:
        raise InvalidTemplate("template", f"{name} has more than {LONGEST_SOURCE} characters")
    environment = _environment(_written_in(template.language, locale), part.endswith(".html"))
    if part == "subject.txt":
        source = " ".join(sources[part].split())
    elif part.startswith("email."):
        layout = dict(_layout(template.language).sources)
        source = layout[part].replace(_BRAND, BRAND).replace(_CONTENT, sources[part])
        source = source.replace(_PREHEADER, sources.get("preheader.txt", "").strip())
        if part.endswith(".html"):
            source = prepare(source, name, css=_style())
    else:
        source = sources[part]
    return StoredPart(environment, source, name)


def _written_in(language: str, locale: str) -> str:
    """The locale of the text's own language in the reader's country: no Spanish date inside an English sentence."""
    spoken, _, country = locale.replace("-", "_").partition("_")
    return locale if spoken == language else f"{language}_{country or 'US'}"


@lru_cache(maxsize=64)
def _environment(locale: str, html: bool) -> Environment:
    return Environment(localisation(locale), html=html)


@lru_cache(maxsize=64)
def _layout(language: str) -> StoredTemplate:
    name, version = _LAYOUT.split("/v")
    return stored_template(name, int(version), language)


@lru_cache(maxsize=1)
def _style() -> str:
    return (FOLDER / _LAYOUT / "style.css").read_text(encoding="utf-8")


def _fields(path: Path) -> Mapping[str, Field]:
    if not path.is_file():
        return {}
    rows: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    return {
        name: Field(row["kind"], row.get("needed", False), tuple(row.get("columns", ())))
        for name, row in rows.items()
    }
