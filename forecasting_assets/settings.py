"""Settings: one typed model, read from forecasting.toml and overridden by the environment.

`FORECASTING__SECTION__FIELD` overrides `[section] field`. A wrong value stops the program with the field, the value and
what would be right.
"""

import os
import re
import sys
import tomllib
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import pydantic_settings
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from forecasting_assets.allocation.policy import AllocationPolicy
from forecasting_assets.forecasting.settings import ForecastingSettings
from forecasting_assets.orders.formats import OrderFormat
from forecasting_assets.storage import is_url
from forecasting_assets.tables import ORDER_COLUMNS
from forecasting_assets.tables.table_files import FileFormat
from forecasting_assets.weeks import parse_week

SETTINGS_FILE = "forecasting.toml"
_PREFIX = "FORECASTING__"


class SettingsError(ValueError):
    """A settings file or environment override that cannot be used; the message says what to change."""


#: A password or token within a URL, and names of Spark settings that hold one.
_SECRET_IN_URL = re.compile(
    r"://[^/@]*:[^/@]+@|[;?&](token|password|secret\w*|access_key|sig)=", re.IGNORECASE
)
_SECRET_NAME = re.compile(r"secret|passw|token|access\.key|account\.key", re.IGNORECASE)


class Section(BaseModel):
    """A section of the settings file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @field_validator("*")
    @classmethod
    def _no_secrets(cls, value: Any) -> Any:
        # Settings are shown in the UI and written to logs; every store has variables of its own for secrets.
        named = value if isinstance(value, dict) else {"": value}
        for name, text in named.items():
            if isinstance(text, str) and (_SECRET_IN_URL.search(text) or _SECRET_NAME.search(name)):
                raise PydanticCustomError(
                    "secret",
                    "do not put passwords and tokens in settings: set environment variables such as "
                    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AZURE_CLIENT_SECRET, MLFLOW_TRACKING_PASSWORD, "
                    "PGPASSWORD, SPARK_CONNECT_AUTHENTICATE_TOKEN, or for Spark use spark-defaults.conf in "
                    "SPARK_CONF_DIR",
                )
        return value


class CalendarSettings(Section):
    """Weeks, horizon and holidays."""

    first_week: date = Field(date(2024, 1, 1), description="Monday of the first week of history")
    horizon_weeks: int = Field(8, ge=1, le=26, description="How many weeks ahead to forecast and plan")
    holiday_countries: tuple[str, ...] = Field(
        ("US", "GB", "DE"), description="ISO codes of the countries whose holidays count"
    )

    @field_validator("first_week", mode="before")
    @classmethod
    def _monday(cls, value: Any) -> date:
        return parse_week(str(value))

    @field_validator("holiday_countries")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        from holidays import list_supported_countries

        unknown = sorted(set(value) - set(list_supported_countries(include_aliases=True)))
        if unknown:
            raise ValueError(f"no holidays are known for {', '.join(unknown)}: use ISO 3166 codes such as DE")
        return value


class OrderSettings(Section):
    """Order files."""

    landing: str = Field(default="landing/orders", description="Folder or URL where order files arrive")
    index: str = Field("landing.db", description="File or URL that remembers what each order file holds")
    quarantine: str = Field(
        "landing/quarantine", description="Folder or URL that lists unreadable order files"
    )
    columns: dict[str, str] = Field({}, description="Landed name of a column that is named otherwise")
    format: OrderFormat = Field(
        default_factory=OrderFormat, description="How dates, numbers and text are written in order files"
    )
    fold_case: bool = Field(
        False,
        description="Whether parts, regions and categories that differ only by case or inner white space are one",
    )

    @field_validator("columns")
    @classmethod
    def _known(cls, value: dict[str, str]) -> dict[str, str]:
        unknown = sorted(set(value) - set(ORDER_COLUMNS))
        if unknown:
            raise ValueError(
                f"{', '.join(unknown)} is not an order column: map some of {', '.join(ORDER_COLUMNS)}"
            )
        if len(set(value.values())) < len(value):
            raise ValueError("two columns are mapped to the same landed name: give each its own")
        return value

    @property
    def landed_names(self) -> dict[str, str]:
        """Platform name -> landed name, for every order column."""
        return {name: self.columns.get(name, name) for name in ORDER_COLUMNS}


class NetworkSettings(Section):
    """Files of the manufacturer network."""

    path: str = Field("landing/network", description="Folder or URL of manufacturers, capabilities, lanes")


class PlanningSettings(Section):
    """Files of what planners know and decide."""

    path: str = Field(
        "landing/planning",
        description="Folder or URL of forecast overrides, locked allocations, stock, work in progress and promises",
    )


class LakeSettings(Section):
    """Tables."""

    path: str = Field("lake", description="Folder or URL of the tables")
    format: Literal["parquet", "delta", "iceberg"] = Field(
        "parquet",
        description="With delta or iceberg, each table is published in this format too, with a version for each change",
    )
    catalog: str | None = Field(
        None,
        description="Catalog of Iceberg tables, as the configuration of pyiceberg names it; iceberg.db in "
        "FORECASTING_HOME if not set",
    )
    namespace: str = Field("forecasting_assets", description="Namespace of Iceberg tables in their catalog")

    @field_validator("format")
    @classmethod
    def _installed(cls, value: str) -> str:
        requirement = {"delta": "deltalake", "iceberg": "'pyiceberg[sql-sqlite]'"}.get(value, "")
        package = requirement.strip("'").partition("[")[0]
        if package and not find_spec(package):
            raise ValueError(
                f"the package {package} is not installed: {sys.executable} -m pip install {requirement}"
            )
        return value


class SparkSettings(Section):
    """Where Spark runs, and how it is configured."""

    master: str = Field("local[*]", description="Spark master; ignored where `remote` is set")
    remote: str | None = Field(None, description="Spark Connect server, as sc://host:15002")
    warm_server: bool = Field(
        True,
        description="Whether `forecasting-assets dev` keeps a server warm for its runs; not with `remote`",
    )
    conf: dict[str, str] = Field(default_factory=dict, description="More Spark configuration")


class RuntimeSettings(Section):
    """Processes of `forecasting-assets dev`."""

    fork_runs: bool = Field(
        True,
        description="Whether `forecasting-assets dev` forks runs from a process with their libraries imported, "
        "which saves seconds a run; on Linux only",
    )


#: MLflow takes these as a store that it talks to itself; there is no server that would know where models are kept.
_DATABASES = ("sqlite:", "postgresql", "mysql", "mssql")


class MlflowSettings(Section):
    """Where runs and models are tracked."""

    tracking_uri: str | None = Field(
        None,
        description="MLflow server, or a database that is used without one; mlflow.db in FORECASTING_HOME if not set",
    )
    artifacts: str | None = Field(
        None,
        validate_default=True,
        description="Folder or URL where models are kept if tracking_uri is a database; mlartifacts in "
        "FORECASTING_HOME if tracking_uri is not set",
    )

    @field_validator("artifacts")
    @classmethod
    def _place_for_models(cls, value: str | None, info: ValidationInfo) -> str | None:
        store = info.data.get("tracking_uri")
        if store and store.startswith(_DATABASES) and not value:
            raise ValueError(
                f"{store} is a database without a server, and MLflow would keep models in the working directory: set "
                "this to a folder or URL"
            )
        if value and store and not store.startswith(_DATABASES):
            raise ValueError(f"the MLflow server {store} stores models itself: remove this setting")
        return value


class ReportSettings(Section):
    """Reports and files of each plan."""

    path: str = Field("reports", description="Folder or URL of the pages and files of each week")
    currency: str = Field(
        "",
        max_length=8,
        pattern=r"^\S*$",
        description="Currency of the network files, as pages name it after amounts, e.g. EUR; not named if empty",
    )
    url: str = Field(
        "http://127.0.0.1:3001",
        pattern=r"^(https?://\S+)?$",
        description="Where the pages are served, as links in Dagster lead to them; by default as "
        "`forecasting-assets dev` serves them. If empty, Dagster keeps pictures itself and shows the paths of pages",
    )
    export: tuple[FileFormat, ...] = Field(
        (),
        description="Formats in which plan, forecast, shortages and the sheets of manufacturers are written as files "
        "with every plan, to reports/week=…/export",
    )


class CheckSettings(Section):
    """Limits beyond which checks warn."""

    shortage_limit: float = Field(
        0.05, ge=0, le=1, description="Share of planned demand that may be short without a warning"
    )
    count_difference_limit: float = Field(
        0.2,
        ge=0,
        description="Share by which counts of stock may differ from what was expected without a warning",
    )
    rejection_limit: float = Field(
        0.05,
        ge=0,
        le=1,
        description="Share of the rows or units of an order file that may be rejected without a warning",
    )
    volume_limit: float = Field(
        4.0, gt=0, description="Robust deviations from past weeks' volume without a warning"
    )


class AutomationSettings(Section):
    """What the sensor does."""

    late_data: Literal["newest_plan", "everything"] = Field(
        "newest_plan",
        description="What orders that arrive late refresh: orders, demand and features of their weeks and the "
        "newest plan; or every week of every asset that changes with them",
    )


class AlertSettings(Section):
    """Messages to people when a plan needs them; off unless someone is named here, or a webhook is set.

    The address of a webhook is a secret: set it as FORECASTING_ALERT_WEBHOOK, and the password of the mail server as
    FORECASTING_SMTP_PASSWORD.
    """

    email_to: tuple[str, ...] = Field((), description="Who gets mail")
    email_from: str = Field("forecasting-assets@localhost", description="Sender of mail")
    smtp_server: str = Field(
        "localhost:25", pattern=r"^[^\s:]+:\d+$", description="Mail server, as host:port"
    )
    smtp_user: str = Field(
        "", description="User of the mail server; with a user the connection is encrypted by STARTTLS"
    )
    dagster_url: str = Field(
        "http://127.0.0.1:3000", pattern=r"^https?://\S+$", description="Address of the UI that links lead to"
    )


class Settings(BaseSettings):
    """Everything a user can set. Relative paths are relative to `home`."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True
    )

    home: Path
    calendar: CalendarSettings = CalendarSettings()
    orders: OrderSettings = OrderSettings()
    network: NetworkSettings = NetworkSettings()
    planning: PlanningSettings = PlanningSettings()
    lake: LakeSettings = LakeSettings()
    spark: SparkSettings = SparkSettings()
    runtime: RuntimeSettings = RuntimeSettings()
    mlflow: MlflowSettings = MlflowSettings()
    forecasting: ForecastingSettings = ForecastingSettings()
    allocation: AllocationPolicy = AllocationPolicy()
    checks: CheckSettings = CheckSettings()
    reports: ReportSettings = ReportSettings()
    automation: AutomationSettings = AutomationSettings()
    alerts: AlertSettings = AlertSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment override the file; read nothing else."""
        return env_settings, init_settings

    def resolve(self, path: str) -> str:
        """Return a path of the settings as an absolute path; a URL as it is."""
        return path if is_url(path) else str(self.home / path)

    @property
    def landing(self) -> str:
        """Folder or URL of order files."""
        return self.resolve(self.orders.landing)

    @property
    def lake_path(self) -> str:
        """Folder or URL of the tables."""
        return self.resolve(self.lake.path)

    @property
    def network_path(self) -> str:
        """Folder or URL of network files."""
        return self.resolve(self.network.path)

    @property
    def planning_path(self) -> str:
        """Folder or URL of planning files."""
        return self.resolve(self.planning.path)

    @property
    def reports_path(self) -> str:
        """Folder or URL of reports."""
        return self.resolve(self.reports.path)

    @property
    def artifacts_uri(self) -> str | None:
        """Where MLflow keeps models, as a URI; None if its server knows."""
        if self.mlflow.tracking_uri and not self.mlflow.artifacts:
            return None
        place = self.resolve(self.mlflow.artifacts or "mlartifacts")
        return place if is_url(place) else Path(place).as_uri()

    @property
    def tracking_uri(self) -> str:
        """The MLflow server or database."""
        return self.mlflow.tracking_uri or f"sqlite:///{self.home / 'mlflow.db'}"


def forecasting_home() -> Path:
    """Return the one folder of state: FORECASTING_HOME, by default `.forecasting` in the working directory."""
    return Path(os.environ.get("FORECASTING_HOME", ".forecasting")).absolute()


def load_settings(home: Path | None = None) -> Settings:
    """Load the settings of a home.

    Raises
    ------
    SettingsError
        If its file or the environment holds something wrong.
    """
    home = (home or forecasting_home()).absolute()
    file = home / SETTINGS_FILE
    try:
        written = tomllib.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file} is not valid TOML: {error}") from None
    strangers = [name for name in os.environ if name.startswith(_PREFIX) and not _is_setting(name)]
    if strangers:
        raise SettingsError(
            f"{', '.join(strangers)}: there is no such section, write {_PREFIX}SECTION__FIELD"
        )
    try:
        settings = Settings(home=home, **written)
    except pydantic_settings.SettingsError as error:
        raise SettingsError(
            f"{error}: write a list as JSON, as {_PREFIX}CALENDAR__HOLIDAY_COUNTRIES='[\"US\"]'"
        ) from None
    except ValidationError as error:
        raise SettingsError("\n".join(_explain(file, problem) for problem in error.errors())) from None
    except TypeError as error:  # `home` in the file
        raise SettingsError(f"{file}: {error}") from None
    if settings.lake.format != "parquet" and re.search(r"[%#?]", settings.lake_path):
        raise SettingsError(
            f"[lake] path = {settings.lake_path!r}: paths with %, # or ? cannot be published as {settings.lake.format} "
            f"tables, set it to a folder or URL without them (in {file} or by {_PREFIX}LAKE__PATH)"
        )
    return settings


def _is_setting(variable: str) -> bool:
    section = variable.removeprefix(_PREFIX).split("__")[0].lower()
    return section in Settings.model_fields and section != "home"


def _explain(file: Path, problem: Any) -> str:
    section, *field = [str(part) for part in problem["loc"]]
    variable = "__".join(["FORECASTING", section, *field]).upper()
    name = f"[{section}] {'.'.join(field)}" if field else f"[{section}]"
    remedy = "there is no such setting, remove it" if problem["type"] == "extra_forbidden" else problem["msg"]
    value = "" if problem["type"] == "secret" else f" = {problem['input']!r}"
    return f"{name}{value}: {remedy} (set in {file} or by {variable})"
