"""Stored templates may come from anybody: they say little, cost little, and run nothing."""

import time
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidRequest, InvalidTemplate, MissingVariable
from core.vocabulary import Channel
from delivery.catalog import catalog
from delivery.channels import CHANNELS
from delivery.content import render, sandboxed_jinja
from delivery.content.html_source import prepare
from delivery.content.localisation import localisation
from delivery.content.payload_fields import PERSON_NAMES
from delivery.content.sandboxed_jinja import Environment, StoredPart
from delivery.content.stored_templates import (
    FOLDER,
    StoredTemplate,
    compiled,
    latest_version,
    stored_template,
)
from tests.content.for_maya import request_of

OURS = {
    "brand",
    "template_text",
    "unsubscribe_url",
    "preferences_url",
    "postal_address",
    "is_marketing",
    "today",
}


def text_of(source: str, **values: object) -> str:
    return StoredPart(Environment(localisation("en_US"), html=False), source, "row/v1/sms.txt").render(values)


def html_of(source: str, **values: object) -> str:
    row = StoredTemplate("row", 1, (("email.html", source), ("email.txt", "t"), ("subject.txt", "s")))
    everything = dict.fromkeys(OURS, "") | {"brand": "MINGUS"} | values
    return compiled(row, "email.html", "en_US").render(everything)


@pytest.mark.parametrize(
    "source",
    [
        '{{ "x" * 10**9 }}', "{{ 10 ** 9 }}", "{{ 1 + 1 }}", "{{ 9 // 1 }}", "{{ -x }}", "{{ '%999999999d' % 1 }}", "{{ x ~ x }}",
        "{% for i in range(10**9) %}x{% endfor %}", "{{ range(3) }}", "{{ x() }}", "{{ x.__class__ }}", "{{ x['__class__'](1) }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}", "{{ cycler.__init__.__globals__.os.popen('id') }}", "{{ x.y }}",
        "{% set x = x ~ x %}", "{% macro m() %}{{ m() }}{% endmacro %}", "{% include 'x' %}", "{% import 'x' as y %}",
        "{% extends 'x' %}", "{% block a %}{% endblock %}", "{% filter upper %}x{% endfilter %}", "{% call x() %}{% endcall %}",
        "{% for a in x %}{% for b in x %}{% endfor %}{% endfor %}", "{% for a in x recursive %}{{ loop(a) }}{% endfor %}",
        "{% for a in x %}{% if a %}{% for b in x %}{% endfor %}{% endif %}{% endfor %}",
        "{{ x|attr('__class__') }}", "{{ x|map('upper')|list }}", "{{ x|center(999999999) }}", "{{ x|replace('a', x) }}",
        "{{ x|bounded }}", "{{ x|format(1) }}", "{{ x|pprint }}", "{{ x|safe }}", "{{ x|xmlattr }}", "{{ x is sameas(x) }}",
        "{{ self }}{{ self._TemplateReference__context }}", "{{ x[0:9] }}", "{{ x[x] }}", "{{ {'a': 1} }}", "{{ [1, 2] }}",
        "{% autoescape false %}{{ x }}{% endautoescape %}", "{% do x %}", "{% with a = 1 %}{% endwith %}", "{{ _deadline }}",
        "{{ x", "{% if %}", "{% endif %}", "{{ }}", "{{ x | }}", "{{ " + "(" * 5000 + "x" + ")" * 5000 + " }}",
        "{% if x %}" * 300 + "{% endif %}" * 300, "{{ " + "not " * 9000 + "x }}", "{{ x if }}", "{{ loop.previtem }}",
        "{{ '" + "a" * 60_000 + "' }}{{ x.y }}",
    ],
)  # fmt: skip
def test_what_templates_may_not_say_is_refused_before_it_runs(source):
    began = time.perf_counter()
    with pytest.raises(InvalidTemplate, match="row/v1/sms"):
        text_of(source, x="a", _deadline=1)
    assert time.perf_counter() - began < 30


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("Hi {{ x }}", "Hi Maya"),
        ("{{ x|upper }}{{ n|money }}", "MAYA$1,200.00"),
        ("{% if n and not z %}a{% elif x %}b{% else %}c{% endif %}", "a"),
        ("{{ 'few' if n < 5 else 'many' }}", "many"),
        (
            "{% for row in rows %}{{ loop.index }}:{{ row['k'] }}{% if not loop.last %},{% endif %}{% endfor %}",
            "1:a,2:b",
        ),
        ("{% for row in rows if row['k'] == 'b' %}{{ row['k'] }}{% else %}none{% endfor %}", "b"),
        ("{{ gone|default('nothing') }}{% if gone is defined %}!{% endif %}", "nothing"),
        ("{# a remark #}{{ x }}", "Maya"),
        ("{% raw %}{{ x }}{% endraw %}", "{{ x }}"),
    ],
)
def test_what_templates_may_say(source, text):
    assert text_of(source, x="Maya", n=1200, z="", rows=[{"k": "a"}, {"k": "b"}]) == text


def test_a_missing_variable_is_named():
    with pytest.raises(MissingVariable, match=r"due_date.*row/v1/sms\.txt"):
        text_of("Due {{ due_date }}")


@pytest.mark.parametrize(
    ("source", "values"),
    [
        ("{% for c in x %}{{ c }}{% endfor %}", {"x": "text is no list"}),
        ("{% for c in x %}{{ c }}{% endfor %}", {"x": 7}),
        ("{% for c in x %}{{ c }}{% endfor %}", {"x": range(10**9)}),
        ("{% for c in x %}{{ t }}{% endfor %}", {"x": range(200), "t": "x" * 10_000}),
        ("{{ x['missing'] }}", {"x": {}}),
        ("{{ x < 'a' }}", {"x": 1}),
        ("{{ x|length }}", {"x": 7}),
        ("{{ x|money }}", {"x": []}),
        ("{{ x|link }}", {"x": "javascript:alert(1)"}),
    ],
)
def test_a_template_that_fails_or_grows_while_it_runs_is_a_typed_error(source, values):
    with pytest.raises(InvalidRequest):
        text_of(source, **values)


def test_two_hundred_rounds_of_the_costliest_filters_end_in_time(monkeypatch):
    monkeypatch.setattr(sandboxed_jinja, "LONGEST_SECONDS", 0.2)
    source = "{% for c in x %}{% if t" + "|title" * 60 + " == 'a' %}a{% endif %}{% endfor %}"
    began = time.perf_counter()
    with pytest.raises(InvalidTemplate, match=r"0\.2 s"):
        text_of(source, x=range(200), t="ab " * 20_000)
    assert time.perf_counter() - began < 60  # without the bound: an hour


@given(st.text(st.sampled_from("{}%#|.[]()'\"x*+-~ <>if forendset"), max_size=80))
def test_every_text_is_a_template_or_is_refused_as_one(source):
    try:
        text_of(source, x="Maya")
    except InvalidRequest as refused:
        assert str(refused)  # noqa: PT017 - both ends are right, a third would be an untyped error


XSS = "<script>alert('x')</script>\" onload=\"x"


def test_values_are_escaped_in_html_and_only_there():
    shown = html_of('<p title="{{ x }}">{{ x }}</p><p>{{ x|lines }}</p><p>{{ x|upper }}</p>', x=XSS)
    assert "<script" not in shown.lower()
    assert 'onload="' not in shown
    assert "&lt;b&gt;" in html_of("{{ '<b>' }}")
    assert shown.count("&lt;script&gt;alert(") == 3
    assert text_of("{{ x }}", x=XSS) == XSS


@pytest.mark.parametrize(
    "source",
    [
        "<script>x</script>", "<SCRIPT src=https://x.example/></SCRIPT>", "<iframe src='https://x.example'></iframe>",
        "<img src=x onerror=alert(1)>", "<p onclick='x'>a</p>", "<a href='javascript:alert(1)'>a</a>",
        "<a href=' java\tscript:alert(1)'>a</a>", "<a href='data:text/html,x'>a</a>", "<a href={{ x }}>a</a>", "<a {{ x }}>a</a>",
        "<a href='https://x.example/{{ x }}'>a</a>", "<a href='{{ x }}{{ x }}'>a</a>", "<{{ x }}>a</{{ x }}>",
        "<p style='color: {{ x }}'>a</p>", "<style>p { color: {{ x }} }</style>", "<form action='https://x.example'></form>",
        "<base href='https://x.example'>", "<svg onload=x></svg>", "<object data='x'></object>", "<p on{{ x }}='a'>a</p>",
        "<meta http-equiv='refresh' content='0;url=https://x.example'>", "<p {% if x %}class='a'{% endif %}>a</p>",
        "<a href='{% if x %}https://a.example{% endif %}'>a</a>", "<link rel='stylesheet' href='https://x.example/a.css'>",
        "<a href='//x.example/a'>a</a>", "<a href='vbscript:x'>a</a>", "<img srcset='{{ x }} 2x'>", "<input value='x'>",
        "<a href='&#106;avascript:alert(1)'>a</a>", "<a title='a' href={{x}}>a</a>", "<p title={{ x }}>a</p>",
        "{% raw %}{{ <script>alert(1)</script> }}{% endraw %}", "{%- raw %}{% <b onclick=x> %}{% endraw %}",
        "{{ '}}<script>alert(1)</script>' }}", "{% if x == '%}<script>' %}{% endif %}",
    ],
)  # fmt: skip
def test_html_that_runs_or_places_where_escaping_does_not_protect_are_refused(source):
    with pytest.raises(InvalidTemplate, match=r"row/v1/email\.html"):
        html_of(source, x="https://x.example")


@pytest.mark.parametrize("url", ["javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "//x.example", "x", "",
                                 "https://a b", "https://paypal.com@evil.example/", 'https://x.example/"onload=', " https://x",
                                 "https://", "ftp://x.example", "https://x.example\nSet-Cookie: a"])  # fmt: skip
def test_a_value_in_a_link_must_be_a_link(url):
    with pytest.raises(InvalidRequest, match="link"):
        html_of('<a href="{{ x }}">a</a>', x=url)


@pytest.mark.parametrize("url", ["https://mingus.example/a?b=c&d=e#f", "http://127.0.0.1:8000/u/x.y-z_~", "mailto:help@mingus.example",
                                 "https://[::1]:8000/", "https://bücher.example/ä"])  # fmt: skip
def test_ordinary_links_pass(url):
    assert f'href="{url.replace("&", "&amp;")}"' in html_of('<a href="{{ x }}">a</a>', x=url)


def test_styles_are_inlined_once_and_tags_inside_tables_stay_in_place():
    shown = html_of(
        '<table>{% for r in rows %}<tr><td class="value">{{ r["k"] }}</td></tr>{% endfor %}</table>',
        rows=[{"k": "a"}, {"k": "b"}],
    )
    assert shown.count("font-weight: 700") >= 2
    assert (
        shown.index('<tr><td class="value"')
        < shown.index(">a</td>")
        < shown.index(">b</td>")
        < shown.rindex("</table>")
    )
    assert "prefers-color-scheme: dark" in shown
    assert "jinja" not in shown


def test_what_a_template_says_beyond_ascii_is_written_in_ascii_and_means_the_same():
    source = "<style>p::after { content: '·' }</style><p title='caf\u00e9'>Días · {{ name }} 🎉 {{ 'ñ' }}</p>"
    html = prepare(source, "row/v1/email.html")
    style, _, rest = html.partition("</style>")
    assert "content: '·'" in style, "character references mean nothing in a style sheet"
    assert unescape(rest).startswith("<p title='café'>Días · {{ name }} 🎉 {{ 'ñ' }}</p>")
    assert rest.replace("{{ 'ñ' }}", "").isascii(), "only the template's own tags keep their signs"


def test_a_row_takes_the_place_of_the_folder():
    row = StoredTemplate("payment_reminder", 7, (("sms.txt", "{{ bill_name }} soon, {{ first_name }}"),))
    message = render(request_of("payment_reminder", Channel.SMS, stored=row))
    assert (message.body, message.template) == ("Rent soon, Maya", "payment_reminder/v7")


def test_an_oversized_row_is_refused():
    row = StoredTemplate("payment_reminder", 8, (("sms.txt", "x" * 50_001),))
    with pytest.raises(InvalidTemplate, match="50000 characters"):
        render(request_of("payment_reminder", Channel.SMS, stored=row))


@pytest.mark.parametrize("name", catalog())
def test_each_message_type_has_all_parts_of_its_channels_and_reads_only_declared_names(name):
    for version in range(1, latest_version(name) + 1):
        template = stored_template(name, version)
        known = OURS | set(PERSON_NAMES) | {"currency"} | set(template.fields)
        for channel in catalog()[name].channels:
            for part in CHANNELS[channel].parts:
                assert compiled(template, part, "en_US").variables <= known, (part, version)


LANGUAGES = [path.relative_to(FOLDER).parts for path in sorted(FOLDER.glob("*/v*/*")) if path.is_dir()]


@pytest.mark.parametrize(("name", "version", "language"), LANGUAGES)
def test_a_translation_is_whole_and_its_layout_is_translated_too(name, version, language):
    parts = {path.name for path in (FOLDER / name / version).glob("*.j2")}
    assert {path.name for path in (FOLDER / name / version / language).iterdir()} == parts
    assert (FOLDER / "layout" / "v1" / language).is_dir()
    for part in {part.removesuffix(".j2") for part in parts} - {"preheader.txt"}:
        if name != "layout":
            template = stored_template(name, int(version[1:]), language)
            known = OURS | set(PERSON_NAMES) | {"currency"} | set(template.fields)
            assert compiled(template, part, f"{language}_US").variables <= known


@pytest.mark.parametrize("name", catalog())
def test_the_catalogs_example_gives_only_declared_fields_or_names_them_in_its_template(name):
    example = catalog()[name].example
    undeclared = set(example) - set(stored_template(name, 1).fields) - {"template", "subject", "name"}
    assert all(f"{{{field}}}" in str(example["template"]) for field in undeclared)


def test_no_template_folder_is_without_a_message_type():
    assert {path.name for path in FOLDER.iterdir()} - {"layout"} == set(catalog())


def test_an_unknown_version_or_type_is_a_typed_error():
    with pytest.raises(InvalidTemplate, match="v99"):
        render(request_of("payment_reminder", version=99))
    with pytest.raises(InvalidTemplate, match="no folder"):
        latest_version("gossip")
