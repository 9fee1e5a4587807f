"""Typed settings from the environment, validated at start; secrets may also come from `NAME_FILE`.

The specification's names work as written (`TWILIO_ACCOUNT_SID`, `REDIS_URL` …); our own begin with `MINGUS_`.
"""

import os
import re
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from core.errors import SettingsError

SANDBOX_ACCOUNT_SID = "ACsandbox0000000000000000000000000"
BUDGETS = ("day", "month", "sms.day", "sms.month", "email.day", "email.month")
"""What `MINGUS_BUDGETS` may bound."""
_AMOUNT = re.compile(r"\d{1,9}(\.\d{1,6})?")
_COUNTRY = re.compile(r"[A-Z]{2}")
_POSTGRES_SCHEMES = ("postgresql://", "postgresql+psycopg2://", "postgres://")
_REDIS_SCHEMES = ("redis://", "rediss://", "unix://")


def _ours(name: str, **kwargs: Any) -> Any:
    return Field(validation_alias=AliasChoices(f"MINGUS_{name}"), **kwargs)


def _given(name: str, **kwargs: Any) -> Any:
    return Field(validation_alias=AliasChoices(name), **kwargs)


class Settings(BaseSettings):
    """Every setting of the product; the README's table is tested against these fields."""

    model_config = SettingsConfigDict(extra="ignore", populate_by_name=True, frozen=True)

    # Where we run
    environment: Literal["development", "test", "staging", "production"] = _ours(
        "ENV", default="development", description="production refuses generated keys and the sandbox"
    )
    var: Path = _ours("VAR", default=Path("var"), description="folder of all local state")
    public_base_url: str = _given(
        "PUBLIC_BASE_URL",
        default="http://127.0.0.1:8000",
        description="how providers and mail readers reach the web app; webhook signatures are checked against it",
    )
    log_level: str = _ours("LOG_LEVEL", default="INFO", description="DEBUG, INFO, WARNING or ERROR")

    # The truth and the carrier
    database_url: SecretStr = _given(
        "DATABASE_URL", description="PostgreSQL, e.g. postgresql://user:pass@host/db"
    )
    database_pool_size: int = _ours(
        "DATABASE_POOL_SIZE", default=5, ge=1, description="connections per process"
    )
    database_pool_overflow: int = _ours(
        "DATABASE_POOL_OVERFLOW", default=5, ge=0, description="extra connections"
    )
    database_timeout_seconds: int = _ours(
        "DATABASE_TIMEOUT", default=30, ge=1, description="longest statement"
    )
    redis_url: SecretStr = _given(
        "REDIS_URL", description="counters, limits, caches, e.g. redis://host:6379/0"
    )
    celery_broker_url: SecretStr | None = _given(
        "CELERY_BROKER_URL", default=None, description="the queue; REDIS_URL when not given"
    )
    celery_result_backend: SecretStr | None = _given(
        "CELERY_RESULT_BACKEND", default=None, description="results of live alerts; REDIS_URL when not given"
    )

    # Providers
    twilio_account_sid: str = _given("TWILIO_ACCOUNT_SID", default="", description="Twilio account")
    twilio_auth_token: SecretStr = _given(
        "TWILIO_AUTH_TOKEN", default=SecretStr(""), description="Twilio token"
    )
    twilio_auth_token_previous: SecretStr | None = _given(
        "TWILIO_AUTH_TOKEN_PREVIOUS",
        default=None,
        description="old token, still accepted on webhooks in a rotation",
    )
    twilio_phone_number: str = _given("TWILIO_PHONE_NUMBER", default="", description="sender number, E.164")
    twilio_messaging_service_sid: str = _given(
        "TWILIO_MESSAGING_SERVICE_SID", default="", description="used in place of the number when given"
    )
    twilio_base_url: str | None = _ours("TWILIO_BASE_URL", default=None, description="a simulator's address")
    resend_api_key: SecretStr = _given("RESEND_API_KEY", default=SecretStr(""), description="Resend key")
    resend_webhook_secret: SecretStr | None = _given(
        "RESEND_WEBHOOK_SECRET", default=None, description="Svix secret of the webhook, whsec_…"
    )
    resend_webhook_secret_previous: SecretStr | None = _given(
        "RESEND_WEBHOOK_SECRET_PREVIOUS", default=None, description="old secret during a rotation"
    )
    resend_from: str = _given(
        "RESEND_FROM", default="MINGUS <hello@mingus.example>", description="sender of mails"
    )
    resend_base_url: str | None = _ours("RESEND_BASE_URL", default=None, description="a simulator's address")
    sns_enabled: bool = _ours(
        "SNS_ENABLED", default=False, description="Amazon SNS carries SMS when Twilio can't"
    )
    ses_enabled: bool = _ours(
        "SES_ENABLED", default=False, description="Amazon SES carries mail when Resend can't"
    )
    ses_from: str = _ours(
        "SES_FROM", default="", description="sender of mails through SES; RESEND_FROM when empty"
    )
    aws_region: str = _given("AWS_REGION", default="us-east-1", description="region of SNS, SES and S3")
    aws_endpoint_url: str | None = _given(
        "AWS_ENDPOINT_URL", default=None, description="another AWS-like endpoint"
    )
    archive_bucket: str = _ours(
        "ARCHIVE_BUCKET",
        default="",
        description="S3 bucket of archived reports; a folder below var when empty",
    )
    archive_months: int = _ours(
        "ARCHIVE_MONTHS", default=24, ge=1, description="how long archived reports are kept"
    )
    app_url: str = _ours(
        "APP_URL",
        default="",
        description="the app's address, for the buttons of onboarding mails; no buttons when empty",
    )
    provider_connect_timeout: float = _ours("CONNECT_TIMEOUT", default=3.0, gt=0, description="seconds")
    provider_read_timeout: float = _ours(
        "READ_TIMEOUT",
        default=30.0,
        gt=0,
        description="seconds; under 26 makes unknowns of Twilio's slow answers",
    )
    provider_connections: int = _ours(
        "PROVIDER_CONNECTIONS",
        default=16,
        ge=1,
        le=64,
        description="calls to one provider at a time, per process, where it takes one message per call",
    )
    sns_topics: Annotated[frozenset[str], NoDecode] = _ours(
        "SNS_TOPICS",
        default=frozenset(),
        description="ARNs of the topics whose notifications we believe: anybody's topic can sign and call us",
    )
    recipients_allowed: Annotated[frozenset[str], NoDecode] = _ours(
        "RECIPIENTS_ALLOWED",
        default=frozenset(),
        description="staging: only these addresses or @domains are sent to; empty = everybody",
    )

    # Keys
    sealing_keys: SecretStr | None = _ours(
        "SEALING_KEYS",
        default=None,
        description="id:base64 of 32 bytes, comma separated, the first one seals",
    )
    index_key: SecretStr | None = _ours(
        "INDEX_KEY", default=None, description="base64 of 32 bytes for blind indexes"
    )
    link_key: SecretStr | None = _ours(
        "LINK_KEY", default=None, description="base64 of 32 bytes that signs links"
    )

    # Delivery
    lease_seconds: int = _ours("LEASE_SECONDS", default=45, ge=5, description="how long a claim lasts")
    chunk_size: int = _ours(
        "CHUNK_SIZE", default=200, ge=1, le=1000, description="notifications per queue message"
    )
    republish_seconds: int = _ours(
        "REPUBLISH_SECONDS",
        default=20,
        ge=1,
        description="an id that was published and not claimed for so long is published again; a repeat is harmless",
    )
    unknown_settle_seconds: int = _ours(
        "UNKNOWN_SETTLE_SECONDS",
        default=60,
        ge=1,
        description="wait for a receipt before asking the provider's list",
    )
    unknown_give_up_seconds: int = _ours(
        "UNKNOWN_GIVE_UP_SECONDS",
        default=300,
        ge=1,
        description="a critical message of unknown outcome is then sent by another route, marked possible_duplicate",
    )
    claims_before_dead: int = _ours(
        "CLAIMS_BEFORE_DEAD",
        default=5,
        ge=1,
        description="claims that ended without a word before the dead letters",
    )
    sms_price: Decimal | None = _ours(
        "SMS_PRICE", default=None, ge=0, description="USD per segment, in place of the price card"
    )
    email_price: Decimal | None = _ours(
        "EMAIL_PRICE", default=None, ge=0, description="USD per mail, in place of the price card"
    )
    budgets: Annotated[dict[str, Decimal], NoDecode] = _ours(
        "BUDGETS",
        default={},
        description="USD per UTC day or month, of all channels or one, e.g. day=50,month=900,sms.day=40; none = no bound",
    )
    sms_countries: Annotated[frozenset[str], NoDecode] = _ours(
        "SMS_COUNTRIES",
        default=frozenset(),
        description="countries that texts may go to, e.g. US,CA,PR; empty = all",
    )
    sms_block_hourly: int = _ours(
        "SMS_BLOCK_HOURLY",
        default=100,
        ge=0,
        description="texts, and new numbers, per hour in one block of 10,000 numbers abroad; 0 = no bound",
    )
    poll_after_seconds: int = _ours(
        "POLL_AFTER_SECONDS",
        default=300,
        ge=1,
        description="a message without a receipt is asked for at its provider after this long, then ever more rarely",
    )
    unconfirmed_after_hours: int = _ours(
        "UNCONFIRMED_AFTER_HOURS",
        default=72,
        ge=1,
        description="a message that is still without a receipt is then called unconfirmed",
    )
    provider_paces: Annotated[dict[str, int], NoDecode] = _ours(
        "PROVIDER_PACES",
        default={},
        description="units (segments, mails) per minute and provider, e.g. twilio=60,resend=600; others are unpaced",
    )
    postal_address: str = _ours(
        "POSTAL_ADDRESS", default="MINGUS, 1 Mingus Way, Atlanta, GA 30303", description="CAN-SPAM footer"
    )

    # Flows
    flow_threads: int = _ours(
        "FLOW_THREADS", default=4, ge=1, le=64, description="steps of a flow at a time, where it fans out"
    )
    dask_address: str = _ours(
        "DASK_ADDRESS",
        default="",
        description="a Dask scheduler, e.g. tcp://host:8786: flows fan out over its workers in place of threads",
    )
    operators: Annotated[frozenset[str], NoDecode] = _ours(
        "OPERATORS",
        default=frozenset(),
        description="ids of the users who are told of every alarm, by a critical message of our own",
    )
    alarm_webhook: str = _ours(
        "ALARM_WEBHOOK", default="", description="URL that every alarm is posted to as JSON, e.g. of a pager"
    )

    @model_validator(mode="before")
    @classmethod
    def _secrets_from_files(cls, values: dict[str, Any]) -> dict[str, Any]:
        for field in cls.model_fields.values():
            alias = field.validation_alias
            name = str(alias.choices[0]) if isinstance(alias, AliasChoices) else ""
            file = os.environ.get(f"{name}_FILE")
            if file and name not in values:
                try:
                    values[name] = Path(file).read_text(encoding="utf-8").strip()
                except OSError as error:
                    raise SettingsError(f"{name}_FILE: can't read {file}: {error.strerror}") from error
        return values

    @field_validator("recipients_allowed", "sns_topics", "sms_countries", "operators", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return frozenset(filter(None, value.replace(" ", "").split(","))) if isinstance(value, str) else value

    @field_validator("provider_paces", mode="before")
    @classmethod
    def _paces(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        pairs = [part.partition("=") for part in value.replace(" ", "").split(",") if part]
        if any(not number.isdecimal() for _, _, number in pairs):
            raise ValueError("must look like twilio=60,resend=600")
        return {name: int(number) for name, _, number in pairs}

    @field_validator("budgets", mode="before")
    @classmethod
    def _amounts(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        pairs = [part.partition("=") for part in value.replace(" ", "").split(",") if part]
        if any(name not in BUDGETS or not _AMOUNT.fullmatch(amount) for name, _, amount in pairs):
            raise ValueError(f"must look like day=50,month=900.50 with {', '.join(BUDGETS)}")
        return {name: Decimal(amount) for name, _, amount in pairs}

    @field_validator("sms_countries")
    @classmethod
    def _countries(cls, value: frozenset[str]) -> frozenset[str]:
        if any(not _COUNTRY.fullmatch(each) for each in value):
            raise ValueError("must be two-letter countries (ISO 3166), e.g. US,CA,PR")
        return value

    @field_validator("database_url")
    @classmethod
    def _postgres(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().startswith(_POSTGRES_SCHEMES):
            raise ValueError("must begin with postgresql://")
        return value

    @field_validator("redis_url", "celery_broker_url", "celery_result_backend")
    @classmethod
    def _redis(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(_REDIS_SCHEMES):
            raise ValueError("must begin with redis://, rediss:// or unix://")
        return value

    @model_validator(mode="after")
    def _production_is_real(self) -> Self:
        if self.environment != "production":
            return self
        for name, value in (
            ("MINGUS_SEALING_KEYS", self.sealing_keys),
            ("MINGUS_INDEX_KEY", self.index_key),
            ("MINGUS_LINK_KEY", self.link_key),
            ("RESEND_WEBHOOK_SECRET", self.resend_webhook_secret),
        ):
            if value is None:
                raise ValueError(f"{name} must be given in production: generated keys are for development")
        if self.uses_sandbox:
            raise ValueError(
                "MINGUS_TWILIO_BASE_URL / MINGUS_RESEND_BASE_URL: production can't send to a simulator"
            )
        return self

    @property
    def broker_url(self) -> str:
        """The broker's URL, REDIS_URL when no other is given."""
        return (self.celery_broker_url or self.redis_url).get_secret_value()

    @property
    def result_backend(self) -> str:
        """The result store's URL, REDIS_URL when no other is given."""
        return (self.celery_result_backend or self.redis_url).get_secret_value()

    @property
    def uses_sandbox(self) -> bool:
        """True when any provider's address is a simulator's."""
        return bool(self.twilio_base_url or self.resend_base_url)


def variable_names() -> dict[str, str]:
    """field name → environment variable, for documentation and error texts."""
    return {
        name: str(field.validation_alias.choices[0])
        for name, field in Settings.model_fields.items()
        if isinstance(field.validation_alias, AliasChoices)
    }


def load_settings(**given: Any) -> Settings:
    """Settings from the environment; SettingsError with one line per wrong variable."""
    try:
        return Settings(**given)
    except ValidationError as error:
        names = variable_names()
        lines = []
        for problem in error.errors():
            place = str(problem["loc"][0]) if problem["loc"] else "settings"
            lines.append(f"{names.get(place, place)}: {problem['msg'].removeprefix('Value error, ')}")
        raise SettingsError("; ".join(lines)) from None


@lru_cache(maxsize=1)
def settings() -> Settings:
    """This process's settings, read once; tests clear them with `settings.cache_clear()`."""
    return load_settings()
