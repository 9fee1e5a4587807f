"""Files are what their name says, or they are not sent."""

import base64

import pytest

from core.errors import InvalidRequest
from delivery.content.attachments import LARGEST_TOTAL, attachments_of, check_attachment, check_attachments
from delivery.messages import Attachment

PDF, PNG = b"%PDF-1.7 ...", b"\x89PNG\r\n\x1a\n..."


@pytest.mark.parametrize(
    ("filename", "content_type", "content"),
    [
        ("report-2025-01.pdf", "application/pdf", PDF),
        ("Bericht März.PDF", "application/pdf; name=x", PDF),
        ("chart.png", "image/png", PNG),
        ("photo.jpeg", "image/jpeg", b"\xff\xd8\xff\xe0"),
        ("transactions.csv", "text/csv; charset=utf-8", b"date,amount\n"),
        ("due.ics", "text/calendar", b"BEGIN:VCALENDAR"),
    ],
)
def test_ordinary_files_pass(filename, content_type, content):
    check_attachment(Attachment(filename, content_type, content))


@pytest.mark.parametrize(
    ("filename", "content_type", "content", "field"),
    [
        ("report.pdf", "image/png", PDF, "content_type"),
        ("report.pdf", "application/pdf", PNG, "content"),
        ("report.pdf", "application/pdf", b"MZ\x90", "content"),
        ("report.csv", "text/csv", b"MZ\x90", "content"),
        ("notes.txt", "text/plain", b"#!/bin/sh", "content"),
        ("report.pdf", "application/pdf", b"", "content"),
        ("run.exe", "application/pdf", b"MZ", "filename"),
        ("report.pdf.exe", "application/pdf", PDF, "filename"),
        ("page.html", "text/html", b"<html>", "filename"),
        ("vector.svg", "image/svg+xml", b"<svg", "filename"),
        ("archive.zip", "application/zip", b"PK", "filename"),
        ("report", "application/pdf", PDF, "filename"),
        ("pdf", "application/pdf", PDF, "filename"),
        (".pdf", "application/pdf", PDF, "filename"),
        ("", "application/pdf", PDF, "filename"),
        ("../report.pdf", "application/pdf", PDF, "filename"),
        ("a\r\nb.pdf", "application/pdf", PDF, "filename"),
        ("fdp.\u202eexe.pdf", "application/pdf", PDF, "filename"),
        ("x" * 200 + ".pdf", "application/pdf", PDF, "filename"),
    ],
)
def test_files_that_are_not_what_they_say_are_refused(filename, content_type, content, field):
    with pytest.raises(InvalidRequest) as refused:
        check_attachment(Attachment(filename, content_type, content))
    assert refused.value.field == f"attachment.{field}"


def test_content_ids_are_plain():
    check_attachment(Attachment("a.png", "image/png", PNG, "spending-2025.01"))
    with pytest.raises(InvalidRequest, match="content_id"):
        check_attachment(Attachment("a.png", "image/png", PNG, "x> <y"))


def test_forty_megabytes_of_base64_is_the_limit():
    fits = Attachment("a.pdf", "application/pdf", PDF + bytes(LARGEST_TOTAL // 4 * 3 - len(PDF)))
    check_attachments((fits,))
    with pytest.raises(InvalidRequest, match="40 MB"):
        check_attachments((fits, Attachment("b.png", "image/png", PNG)))


def test_twenty_one_files_are_too_many():
    with pytest.raises(InvalidRequest, match="21 files"):
        check_attachments(tuple(Attachment(f"{n}.png", "image/png", PNG) for n in range(21)))


@pytest.mark.parametrize(
    "item",
    [7, {}, {"filename": "a.pdf"}, {"filename": "a.pdf", "content_type": "application/pdf", "content": PDF},
     {"filename": "a.pdf", "content_type": "application/pdf", "content": "no base64!"},
     {"filename": "a.pdf", "content_type": "application/pdf", "content": base64.b64encode(PDF).decode(), "content_id": 7}],
)  # fmt: skip
def test_a_payloads_file_of_the_wrong_shape_is_refused(item):
    with pytest.raises(InvalidRequest, match=r"attachments\[0\]"):
        attachments_of([item])
