"""The inbox page, and serving over TLS."""

from datetime import UTC, datetime, timedelta

import urllib3
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.sandbox.conftest import MARIA, SENDER, letter, start_sandbox, wait_for


def page(sandbox, path):
    answer = sandbox.http.request("GET", sandbox.url + path)
    assert answer.status == 200, answer.data
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    return answer.data.decode()


def test_the_page_shows_texts_with_their_segments_and_emails_in_a_frame_without_scripts(
    sandbox, twilio, mailer
):
    twilio.messages.create(to=MARIA, from_=SENDER, body="<b>Overdraft</b> " + "x" * 200)
    mailer.Emails.send(letter(html="<p>Hello</p><script>alert('x')</script>"))
    wait_for(lambda: len(sandbox.messages(status="delivered")) == 2)
    shown = page(sandbox, "/")
    assert "&lt;b&gt;Overdraft&lt;/b&gt;" in shown
    assert "2 segments" in shown
    assert "&lt;script&gt;alert" in shown
    assert "<script>alert" not in shown
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in shown


def test_the_page_finds_a_customer_and_opens_an_email(sandbox, twilio, mailer):
    twilio.messages.create(to=MARIA, from_=SENDER, body="for Maria")
    twilio.messages.create(to="+13035550144", from_=SENDER, body="for James")
    sent = mailer.Emails.send(
        letter(headers={"List-Unsubscribe": "<https://mingus.test/u/1>"}, text="plain words")
    )
    shown = page(sandbox, "/?q=303555")
    assert "for James" in shown
    assert "for Maria" not in shown
    alone = page(sandbox, f"/inbox/email/{sent['id']}")
    for expected in ("List-Unsubscribe", "plain words", "Your month"):
        assert expected in alone
    assert sandbox.http.request("GET", f"{sandbox.url}/inbox/email/none").status == 404


def test_the_page_shows_what_was_refused_and_which_faults_are_on(sandbox, mailer):
    sandbox.fault("resend", "429", probability=0.5)
    sandbox.fault("resend", "5xx_before")
    sandbox.http.request("POST", f"{sandbox.url}/emails", body=b"[]")
    shown = page(sandbox, "/")
    assert "missing api key" in shown.replace("_", " ")
    assert "resend 5xx_before" in shown
    changes = sandbox.http.request("GET", f"{sandbox.url}/inbox/changes").data
    mailer.Emails.list()
    assert sandbox.http.request("GET", f"{sandbox.url}/inbox/changes").data == changes


def test_it_serves_tls(tmp_path):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sandbox")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    (tmp_path / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    tls = {"tls_cert": str(tmp_path / "cert.pem"), "tls_key": str(tmp_path / "key.pem")}
    with start_sandbox(tmp_path / "data", **tls) as sandbox:
        assert sandbox.url.startswith("https://")
        pool = urllib3.PoolManager(ca_certs=tls["tls_cert"], assert_hostname=False)
        assert pool.request("GET", f"{sandbox.url}/_sandbox/healthz").json()["status"] == "ok"
        pool.clear()
