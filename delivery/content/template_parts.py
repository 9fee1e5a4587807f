"""The parts of a template that a message needs, compiled, with what is the same for every message made of them."""

from functools import lru_cache

from core.values import value
from delivery.content.requests import RenderRequest
from delivery.content.sandboxed_jinja import StoredPart
from delivery.content.stored_templates import StoredTemplate, compiled, latest_version, stored_template


@value(frozen=True, slots=True)
class Parts:
    """Parts by name, e.g. `subject.txt`; `variables` are those that any of them reads."""

    by_name: tuple[tuple[str, StoredPart], ...]
    variables: frozenset[str]
    label: str
    language: str


def parts_of(request: RenderRequest, names: tuple[str, ...]) -> Parts:
    """The parts `names` in the person's language; InvalidTemplate when the template lacks one or may not be rendered."""
    if request.stored is not None:
        return _parts(request.stored, names, request.person.locale)
    return _folder_parts(request.message_type.name, request.version, names, request.person.locale)


@lru_cache(maxsize=512)
def _folder_parts(name: str, version: int | None, names: tuple[str, ...], locale: str) -> Parts:
    language = locale.replace("-", "_").partition("_")[0].lower()
    template = stored_template(
        name, version or latest_version(name), language if language.isalpha() else "en"
    )
    return _parts(template, names, locale)


def _parts(template: StoredTemplate, names: tuple[str, ...], locale: str) -> Parts:
    by_name = tuple((name, compiled(template, name, locale)) for name in names)
    variables = frozenset[str]().union(*(part.variables for _, part in by_name))
    return Parts(by_name, variables, template.label, template.language)
