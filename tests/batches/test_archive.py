"""The archive of reports: folder and bucket keep the same promises, links are ours only, and what is erased is gone."""

import base64
import re
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import httpx
import pytest

from core.clock import utc_now
from core.database import transaction
from core.errors import InvalidRequest, InvalidSignature
from core.statements import execute
from core.vocabulary import Channel
from delivery import archive, archive_stores
from delivery.catalog import message_type
from delivery.content import Person, RenderRequest, render
from delivery.messages import RenderedMessage
from flows.monthly_reports import monthly_reports
from flows.report_archive import AWAY
from flows.tend_archive import tend_archive
from tests.delivery.stage import person
from tests.providers.amazon import moto_server

JULY = (("2025-07-01", "3000", "income", "Payroll"), ("2025-07-03", "-1200", "housing", "Rent"))


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    with moto_server() as address:
        yield address


@pytest.fixture(params=["folder", "bucket"])
def kept(
    request: pytest.FixtureRequest,
    moto: str,
    configure: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Any,
) -> Iterator[None]:
    """An empty archive of each kind."""
    if request.param == "bucket":
        import boto3

        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "testing")
        bucket = f"reports-{abs(hash(request.node.name)) % 10**8}"
        boto3.client("s3", endpoint_url=moto, region_name="us-east-1").create_bucket(Bucket=bucket)
        configure(MINGUS_ARCHIVE_BUCKET=bucket, AWS_ENDPOINT_URL=moto)
    else:
        configure()
        monkeypatch.setattr(
            archive_stores, "FOLDER", f"archive-{tmp_path.name}"
        )  # below var, where the keys lie
    archive_stores.store.cache_clear()
    yield
    archive_stores.store.cache_clear()


def test_a_page_comes_back_as_it_was_written(kept: None) -> None:
    key = archive.report_key("user_maya", "2025-07")
    archive.write({key: "<p>María</p>"})
    archive.write({key: "<p>María again</p>"})
    assert archive.read(key) == "<p>María again</p>"
    assert archive.read(archive.report_key("user_maya", "2025-06")) is None


def test_nothing_in_the_archive_names_a_person_or_can_be_read(kept: None) -> None:
    archive.write({archive.report_key("user_maya", "2025-07"): "Maya earned 3000"})
    target = archive_stores.store()
    (key,) = target.keys("reports/")
    assert "maya" not in key
    assert b"3000" not in (target.get(key) or b"")


def test_erasure_takes_all_of_one_person_and_retention_what_is_old(kept: None) -> None:
    for user in ("user_maya", "user_noor"):
        archive.write({archive.report_key(user, month): "x" for month in ("2023-12", "2025-06", "2025-07")})
    assert archive.erase("user_maya") == 3
    assert archive.erase("user_maya") == 0
    assert archive.purge("2025-01") == 1
    assert sorted(key[-7:] for key in archive_stores.store().keys("reports/")) == ["2025-06", "2025-07"]


def test_links_are_ours_only(kept: None) -> None:
    key = archive.report_key("user_maya", "2025-07")
    signature = archive.link_to(key).rpartition("/")[2]
    assert archive.key_of(key, signature) == key
    for forged in (
        archive.report_key("user_maya", "2025-06"),
        archive.report_key("user_noor", "2025-07"),
        "../secrets",
    ):
        with pytest.raises(InvalidSignature):
            archive.key_of(forged, signature)


@pytest.mark.parametrize("month", ["2025-7", "../../etc", "2025-13", ""])
def test_a_key_is_made_of_a_month(month: str, kept: None) -> None:
    with pytest.raises(InvalidRequest, match="month"):
        archive.report_key("user_maya", month)


def test_a_listing_longer_than_a_page_is_read_to_its_end(kept: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_stores, "AT_ONCE", 3)
    keys = [archive.report_key(f"user_{number}", "2025-07") for number in range(10)]
    archive.write(dict.fromkeys(keys, "x"))
    assert sorted(archive_stores.store().keys("reports/")) == sorted(keys)
    assert archive.purge("2025-08") == 10
    assert list(archive_stores.store().keys("reports/")) == []


def opened(path: str) -> httpx.Response:
    """What a browser gets from the web app."""
    from web.app import make_app

    async def get() -> httpx.Response:
        transport = httpx.ASGITransport(make_app())
        async with httpx.AsyncClient(transport=transport, base_url="http://mingus.example") as browser:
            return await browser.get(path)

    return anyio.run(get)


@pytest.mark.usefixtures("prefect_server")
def test_the_mail_carries_the_link_and_the_link_shows_the_report(
    kept: None, people: Any, banked: Any, accepted: Any
) -> None:
    people(person("Maya", 101))
    banked("user_maya", *JULY)
    monthly_reports(month="2025-07")
    (payload,) = accepted("monthly_report").values()
    path = re.sub(r"^https?://[^/]+", "", payload["action_url"])
    answer = opened(path)
    assert answer.status_code == 200
    assert "Hi Maya" in answer.text
    assert "$1,800.00" in answer.text
    assert "cid:" not in answer.text
    assert "data:image/png;base64," in answer.text
    assert "sandbox" in answer.headers["content-security-policy"]
    assert opened(path[:-1] + ("A" if path[-1] != "A" else "B")).status_code == 403
    archive.write({archive.report_key("user_maya", "2020-01"): "old"})
    assert tend_archive() == {"old": 1, "of_erased": 0}
    assert opened(path).status_code == 200
    with transaction() as connection:
        execute(connection, "UPDATE users SET erased_at = now()")
    assert tend_archive() == {"old": 0, "of_erased": 1}
    assert opened(path).status_code == 404


@pytest.mark.usefixtures("prefect_server")
def test_the_link_gives_the_report_as_a_pdf_and_its_pictures_one_by_one(
    kept: None, people: Any, banked: Any, accepted: Any
) -> None:
    people(person("Maya", 101))
    banked("user_maya", *JULY)
    monthly_reports(month="2025-07")
    (payload,) = accepted("monthly_report").values()
    path = re.sub(r"^https?://[^/]+", "", payload["action_url"])
    assert payload["pdf_url"] == payload["action_url"] + "/report.pdf"
    answer = opened(f"{path}/report.pdf")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
    assert answer.content.startswith(b"%PDF-")
    picture = opened(f"{path}/cash-flow.png")
    assert picture.headers["content-type"] == "image/png"
    assert base64.b64encode(picture.content).decode() == payload["attachments"][1]["content"]
    assert opened(f"{path}/nothing.png").status_code == 404
    forged = path[:-1] + ("A" if path[-1] != "A" else "B")
    assert {opened(f"{forged}/{name}").status_code for name in ("report.pdf", "cash-flow.png")} == {403}


@pytest.mark.usefixtures("prefect_server")
def test_hosted_pictures_leave_the_mail_without_files_so_that_providers_take_many_at_once(
    kept: None, people: Any, banked: Any, accepted: Any
) -> None:
    people(person("Maya", 101))
    banked("user_maya", *JULY)
    monthly_reports(month="2025-07", pictures="hosted")
    (payload,) = accepted("monthly_report").values()
    assert "attachments" not in payload
    assert [chart["name"] for chart in payload["hosted_charts"]] == ["categories", "cash-flow"]
    mail = mail_of(payload)
    assert not mail.attachments
    assert f'src="{payload["action_url"]}/cash-flow.png"' in mail.html
    assert 'alt="Cash flow by day' in mail.html
    assert opened(re.sub(r"^https?://[^/]+", "", payload["hosted_charts"][0]["url"])).status_code == 200


@pytest.mark.usefixtures("prefect_server")
def test_a_report_may_carry_its_pdf(kept: None, people: Any, banked: Any, accepted: Any) -> None:
    people(person("Maya", 101))
    banked("user_maya", *JULY)
    monthly_reports(month="2025-07", pdf=True, pictures="hosted")
    (payload,) = accepted("monthly_report").values()
    (file,) = mail_of(payload).attachments
    assert (file.filename, file.content_type) == ("mingus-2025-07.pdf", "application/pdf")
    assert file.content.startswith(b"%PDF-")


def mail_of(payload: dict[str, Any]) -> RenderedMessage:
    row = message_type("monthly_report")
    return render(
        RenderRequest(
            message_type=row,
            channel=Channel.EMAIL,
            payload=payload,
            person=Person(name="Maya"),
            now=utc_now(),
        )
    )


@pytest.mark.usefixtures("prefect_server")
def test_with_the_bucket_away_reports_leave_without_links_and_the_run_says_so(
    people: Any, banked: Any, accepted: Any, configure: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    configure(MINGUS_ARCHIVE_BUCKET="reports", AWS_ENDPOINT_URL="http://127.0.0.1:9")
    archive_stores.store.cache_clear()
    people(person("Maya", 101))
    banked("user_maya", *JULY)
    result = monthly_reports(month="2025-07", pictures="hosted")
    assert (result["accepted"], result["notes"]) == (1, {AWAY: 1})
    (payload,) = accepted("monthly_report").values()
    assert "action_url" not in payload
    assert len(payload["attachments"]) == 2  # its pictures travel with it
    archive_stores.store.cache_clear()
