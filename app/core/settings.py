"""Settings, from environment variables that begin with `CAREPATH_`. README.md lists each of them."""

import ipaddress
import os
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX = "CAREPATH_"
_MAX_FRONTEND_URL = 200


class SettingsInvalid(Exception):
    """A setting is wrong. The text is one line, names each wrong variable and repeats no value."""


class Environment(StrEnum):
    """Where the process runs: development makes what is missing, production refuses to start without it."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


def _database_url(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    scheme = scheme.split("+")[0].replace("postgres", "postgresql") if scheme == "postgres" else scheme.split("+")[0]
    if scheme == "sqlite" and rest.startswith("/") and len(rest) > 1 and "?" not in rest and ":memory:" not in rest:
        return f"sqlite://{rest}"
    if scheme == "postgresql" and separator:
        return f"postgresql://{rest}"
    raise PydanticCustomError(
        "database_url", "must look like sqlite:///file.db or postgresql://user:secret@host/database"
    )


def _origin(origin: str) -> str:
    if not re.fullmatch(r"https?://[\w.-]+(:\d+)?|\*", origin):
        raise PydanticCustomError("origin", "must look like https://www.example.org, without a path, or be *")
    return origin


def _frontend_url(url: str) -> str:
    if not re.fullmatch(r"https?://[A-Za-z0-9.-]+(:\d{1,5})?(/[A-Za-z0-9._~-]+)*", url) or len(url) > _MAX_FRONTEND_URL:
        raise PydanticCustomError("frontend_url", "must look like https://www.example.org, without a slash at its end")
    return url


def _network(address: str) -> str:
    try:
        return str(ipaddress.ip_network(address))
    except ValueError:
        raise PydanticCustomError("network", "must be IP addresses or networks, such as 10.0.0.0/8") from None


Minutes = Annotated[int, Field(ge=0, le=60 * 24 * 365)]
Days = Annotated[int, Field(ge=0, le=365 * 100)]


class Settings(BaseSettings):
    """Everything that may differ between two installations."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore", hide_input_in_errors=True)

    environment: Environment = Environment.DEVELOPMENT
    database_url: Annotated[str, AfterValidator(_database_url), Field(repr=False)] = "sqlite:///carepath.db"
    database_pool_size: Annotated[int, Field(ge=1, le=200)] = 10
    keyring_file: Path | None = None
    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    cors_origins: Annotated[tuple[Annotated[str, AfterValidator(_origin)], ...], NoDecode] = ()
    docs: bool | None = None
    frontend_url: Annotated[str, AfterValidator(_frontend_url)] | None = None
    content_approval: bool | None = None
    rate_limits: bool = True
    anonymous_writes_per_minute: Annotated[int, Field(ge=1)] = 30
    hold_seconds: Annotated[int, Field(ge=1, le=3600)] = 300
    holds_per_caller: Annotated[int, Field(ge=1)] = 10
    min_notice_minutes: Minutes = 0
    cancel_until_minutes: Minutes = 0
    reschedule_until_minutes: Minutes = 0
    max_reschedules: Annotated[int, Field(ge=0)] = 3
    retention_days_booked: Days = 365
    retention_days_fulfilled: Days = 365
    retention_days_no_show: Days = 365
    retention_days_cancelled: Days = 30
    retention_days_expired: Days = 1
    archive_days: Days = 90
    audit_head_file: Path | None = None
    preview_seconds: Annotated[int, Field(ge=1, le=60 * 60 * 24 * 30)] = 60 * 60 * 24
    pages_memory_mb: Annotated[int, Field(ge=0)] = 128
    log_pages: bool = False
    trusted_proxies: Annotated[tuple[Annotated[str, AfterValidator(_network)], ...], NoDecode] = ()

    @field_validator("cors_origins", "trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _nothing_unsafe_in_production(self) -> "Settings":
        if self.is_production and "database_url" not in self.model_fields_set:
            raise PydanticCustomError("unsafe_default", "CAREPATH_DATABASE_URL must be set in production")
        return self

    @property
    def is_production(self) -> bool:
        """Whether unsafe defaults are refused."""
        return self.environment is Environment.PRODUCTION

    @property
    def shows_docs(self) -> bool:
        """Whether `/docs` is served: unless told otherwise, in development only."""
        return self.docs if self.docs is not None else not self.is_production

    @property
    def needs_approval(self) -> bool:
        """Whether a page is published only after somebody else has approved it: by default in production."""
        return self.content_approval if self.content_approval is not None else self.is_production

    @property
    def sqlite_path(self) -> Path | None:
        """The absolute path of the SQLite file, None on PostgreSQL; `sqlite:///a.db` starts from the current folder."""
        if self.database_url.startswith("sqlite:///"):
            return Path(self.database_url.removeprefix("sqlite:///")).absolute()
        return None

    @property
    def keyring_path(self) -> Path:
        """Where the key ring is, or, in development, will be made."""
        if self.keyring_file is not None:
            return self.keyring_file.absolute()
        if self.sqlite_path is not None:
            return self.sqlite_path.with_name(self.sqlite_path.name + ".keyring")
        return Path(".carepath/keyring").absolute()

    @property
    def audit_head_path(self) -> Path:
        """Where the newest seal of the trail is written, outside of the database."""
        if self.audit_head_file is not None:
            return self.audit_head_file.absolute()
        return self.keyring_path.with_name(self.keyring_path.name + ".audit-head")


def load_settings() -> Settings:
    """Read the environment; raises SettingsInvalid."""
    try:
        settings = Settings()
    except ValidationError as error:
        raise SettingsInvalid("; ".join(_sentence(fault["loc"], fault["msg"]) for fault in error.errors())) from None
    unknown = unknown_variables()
    if unknown and settings.is_production:
        raise SettingsInvalid(f"unknown setting: {', '.join(unknown)}")
    return settings


def unknown_variables() -> list[str]:
    """Variables that look like ours and are not: most often a typing error."""
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    return sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)


def _sentence(location: tuple[int | str, ...], message: str) -> str:
    return f"{PREFIX}{str(location[0]).upper()}: {message}" if location else message
