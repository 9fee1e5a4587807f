"""HTML templates made ready once, before they are compiled: checked, their styles inlined, their links guarded.

Mail readers ignore much of a style sheet, so each element gets its styles as an attribute. That is done on the template
and not on every mail (milliseconds each): template tags are put aside as comments and words which HTML tools carry
through, and put back afterwards.
"""

import re
from html.parser import HTMLParser
from urllib.parse import urlsplit

from core.errors import InvalidTemplate

_TAG = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
_RAW = re.compile(r"\{%[-+]?\s*raw\b")
_STYLES = re.compile(r"(<style\b.*?</style>)|[^\x00-\x7f]+", re.DOTALL | re.IGNORECASE)
_MARK = re.compile(r"<!--jinja(\d+)-->|jinja(\d+)z")
_LINKS = frozenset(
    {"href", "src", "action", "background", "cite", "poster", "longdesc", "formaction", "xlink:href"}
)
_FORBIDDEN_TAGS = frozenset(
    {
        "script",
        "iframe",
        "frame",
        "object",
        "embed",
        "applet",
        "form",
        "input",
        "button",
        "base",
        "svg",
        "math",
        "link",
    }
)
_SCHEMES = frozenset({"http", "https", "mailto", "cid"})


def prepare(source: str, name: str, css: str = "") -> str:
    """The template source with `css` inlined and every link checked when it is filled; InvalidTemplate if unsafe."""
    tags: list[str] = []

    def aside(found: re.Match[str]) -> str:
        tag = found.group()
        if tag.startswith("{#"):
            return ""
        tags.append(tag)
        number = len(tags) - 1
        return f"jinja{number}z" if tag.startswith("{{") else f"<!--jinja{number}-->"

    if _RAW.search(source):
        raise InvalidTemplate(name, "may not hold {% raw %}: what stands in it could not be checked")
    if "jinja" in source.lower():
        raise InvalidTemplate(name, "may not hold the word jinja, which marks the template's own tags")
    marked = _TAG.sub(aside, source)
    checker = _Checker(name)
    checker.feed(marked)
    checker.close()
    for number in checker.links:
        tags[number] = re.sub(r"^\{\{-?(.*?)-?\}\}$", r"{{ (\1)|link }}", tags[number], flags=re.DOTALL)
    if css:
        import css_inline

        marked = css_inline.CSSInliner(load_remote_stylesheets=False, extra_css=css).inline(marked)
    # The inliner adds <tbody> at the first row, which may stand in a branch that is not taken; it is optional in HTML.
    marked = re.sub(r"</?tbody>", "", marked)
    marked = re.sub(r"\s*\n\s*", "\n", marked)
    marked = _STYLES.sub(_in_ascii, marked)
    return _MARK.sub(lambda found: tags[int(found[1] or found[2])], marked)


def _in_ascii(found: re.Match[str]) -> str:
    """Signs beyond ASCII as HTML writes them in ASCII, outside of style sheets: such a mail is encoded in a third of the
    time, each time that it is.
    """
    return found[1] or found[0].encode("ascii", "xmlcharrefreplace").decode()


class _Checker(HTMLParser):
    """Refuses what may run, and values in places where escaping does not protect; collects the tags used as links."""

    def __init__(self, name: str) -> None:
        super().__init__(convert_charrefs=True)
        self._name = name
        self._in_style = False
        self.links: set[int] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """One element with its attributes."""
        raw = self.get_starttag_text() or ""
        if tag in _FORBIDDEN_TAGS:
            raise self._refused(f"<{tag}> is not allowed")
        if "<!--jinja" in raw or "jinja" in tag:
            raise self._refused("template tags may stand in a quoted attribute's value only as {{ … }}")
        self._in_style = tag == "style"
        for attribute, value in attrs:
            if (
                "jinja" in attribute
                or attribute.startswith("on")
                or attribute in {"srcdoc", "srcset", "http-equiv"}
            ):
                raise self._refused(f"the attribute {attribute} is not allowed")
            self._check_value(attribute, value or "", raw)

    def handle_endtag(self, tag: str) -> None:
        """The end of an element."""
        if tag == "style":
            self._in_style = False

    def handle_data(self, data: str) -> None:
        """Text, or the inside of a style sheet."""
        if self._in_style and _MARK.search(data):
            raise self._refused("values may not stand inside <style>")

    def _check_value(self, attribute: str, value: str, raw: str) -> None:
        marks = [int(found[1] or found[2]) for found in _MARK.finditer(value)]
        if marks and not re.search(rf"""=\s*("[^"]*jinja{marks[0]}z|'[^']*jinja{marks[0]}z)""", raw):
            raise self._refused(f"the value of {attribute} must stand in quotes")
        if attribute == "style" and marks:
            raise self._refused("values may not stand inside a style")
        if attribute not in _LINKS:
            return
        if marks:
            scheme = value.split(":", 1)[0] if ":" in value else ""
            if value == f"jinja{marks[0]}z":
                self.links.add(marks[0])
            elif scheme != "cid":
                raise self._refused(f"{attribute} must be one whole value, a fixed link, or cid: and a value")
        elif value and urlsplit(value.strip()).scheme.lower() not in _SCHEMES:
            raise self._refused(f"{attribute} must be a link with http, https, mailto or cid")

    def _refused(self, problem: str) -> InvalidTemplate:
        return InvalidTemplate(self._name, f"line {self.getpos()[0]}: {problem}")
