"""Settings: one clear line for what is wrong, secrets from files, and no development key in production."""

import pytest

from core.errors import SettingsError
from core.settings import Settings, load_settings, variable_names

GOOD = {"DATABASE_URL": "postgresql://ana@localhost/mingus", "REDIS_URL": "redis://localhost:6379/0"}
KEYS = {
    "MINGUS_SEALING_KEYS": "k1:" + "A" * 43 + "=",
    "MINGUS_INDEX_KEY": "A" * 43 + "=",
    "MINGUS_LINK_KEY": "A" * 43 + "=",
    "RESEND_WEBHOOK_SECRET": "whsec_" + "A" * 32,
}


@pytest.fixture
def environment(monkeypatch):
    for name in variable_names().values():
        monkeypatch.delenv(name, raising=False)

    def put(**variables):
        for name, value in (GOOD | variables).items():
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)

    return put


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        ({"DATABASE_URL": None}, "DATABASE_URL: Field required"),
        ({"DATABASE_URL": "mysql://x"}, "DATABASE_URL: must begin with postgresql://"),
        ({"REDIS_URL": "http://x"}, "REDIS_URL: must begin with redis://"),
        ({"MINGUS_LEASE_SECONDS": "soon"}, "MINGUS_LEASE_SECONDS: "),
        ({"MINGUS_ENV": "prod"}, "MINGUS_ENV: "),
        ({"MINGUS_PROVIDER_PACES": "twilio:60"}, "MINGUS_PROVIDER_PACES: must look like twilio=60"),
    ],
)
def test_a_wrong_value_is_one_line_that_names_the_variable(environment, variables, line):
    environment(**variables)
    with pytest.raises(SettingsError) as raised:
        load_settings()
    assert str(raised.value).startswith(line)


def test_a_secret_can_come_from_a_file(environment, tmp_path, monkeypatch):
    environment()
    (tmp_path / "token").write_text("secret-token\n")
    monkeypatch.setenv("TWILIO_AUTH_TOKEN_FILE", str(tmp_path / "token"))
    assert load_settings().twilio_auth_token.get_secret_value() == "secret-token"


def test_a_secret_file_that_is_missing_is_named(environment, monkeypatch):
    environment()
    monkeypatch.setenv("RESEND_API_KEY_FILE", "/nowhere/key")
    with pytest.raises(SettingsError, match="RESEND_API_KEY_FILE: can't read /nowhere/key"):
        load_settings()


@pytest.mark.parametrize("missing", list(KEYS))
def test_production_refuses_to_start_without_each_key(environment, missing):
    environment(MINGUS_ENV="production", **{**KEYS, missing: None})
    with pytest.raises(SettingsError, match=missing):
        load_settings()


def test_production_does_not_send_to_a_simulator(environment):
    environment(MINGUS_ENV="production", **KEYS, MINGUS_TWILIO_BASE_URL="http://127.0.0.1:1")
    with pytest.raises(SettingsError, match="simulator"):
        load_settings()


def test_secrets_do_not_show_when_settings_are_printed(environment):
    environment(TWILIO_AUTH_TOKEN="canary-7741", DATABASE_URL="postgresql://ana:canary-7741@localhost/x")
    assert "canary-7741" not in repr(load_settings())


def test_the_broker_and_the_results_use_redis_url_unless_told_otherwise(environment):
    environment(CELERY_BROKER_URL="redis://broker:6379/1")
    loaded = load_settings()
    assert (loaded.broker_url, loaded.result_backend) == ("redis://broker:6379/1", GOOD["REDIS_URL"])


def test_every_setting_has_a_description():
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []
