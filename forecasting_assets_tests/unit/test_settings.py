from datetime import date

import pytest

from forecasting_assets.settings import SettingsError, load_settings


def write(home, text):
    (home / "forecasting.toml").write_text(text)
    return home


def test_without_a_file_every_field_has_a_default(tmp_path):
    settings = load_settings(tmp_path)
    assert settings.calendar.horizon_weeks == 8
    assert settings.lake_path == str(tmp_path / "lake")
    assert settings.tracking_uri == f"sqlite:///{tmp_path / 'mlflow.db'}"


def test_the_environment_overrides_the_file(tmp_path, monkeypatch):
    home = write(
        tmp_path,
        '[calendar]\nfirst_week = 2023-01-02\nhorizon_weeks = 4\n[lake]\npath = "s3://bucket/lake"\n',
    )
    monkeypatch.setenv("FORECASTING__CALENDAR__HORIZON_WEEKS", "13")
    settings = load_settings(home)
    assert settings.calendar.first_week == date(2023, 1, 2)
    assert settings.calendar.horizon_weeks == 13
    assert settings.lake_path == "s3://bucket/lake"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "[calendar]\nhorizon_weeks = 0\n",
            r"\[calendar\] horizon_weeks = 0.*greater than or equal to 1.*forecasting.toml",
        ),
        ("[calendar]\nfirst_week = 2023-01-03\n", r"first_week.*Tuesday.*use 2023-01-02"),
        ("[calendar]\nhorizonweeks = 3\n", r"\[calendar\] horizonweeks.*no such setting"),
        ('[calendar]\nholiday_countries = ["XX"]\n', r"no holidays are known for XX"),
        ('[orders.columns]\norder = "x"\n', r"\[orders\] columns.*order is not an order column"),
        ("[calender]\nhorizon_weeks = 3\n", r"\[calender\].*no such setting"),
        ("[calendar\n", r"not valid TOML"),
    ],
)
def test_a_wrong_value_names_field_value_and_remedy(tmp_path, text, said):
    with pytest.raises(SettingsError, match=said):
        load_settings(write(tmp_path, text))


def test_a_wrong_environment_variable_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("FORECASTING__CALENDAR__HORIZON_WEEKS", "many")
    with pytest.raises(SettingsError, match="FORECASTING__CALENDAR__HORIZON_WEEKS"):
        load_settings(tmp_path)


def test_a_variable_that_sets_nothing_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("FORECASTING__CALENDER__HORIZON_WEEKS", "3")
    with pytest.raises(SettingsError, match="FORECASTING__CALENDER__HORIZON_WEEKS: there is no such section"):
        load_settings(tmp_path)


def test_a_list_in_the_environment_is_json(tmp_path, monkeypatch):
    monkeypatch.setenv("FORECASTING__CALENDAR__HOLIDAY_COUNTRIES", "US")
    with pytest.raises(SettingsError, match="as JSON"):
        load_settings(tmp_path)
    monkeypatch.setenv("FORECASTING__CALENDAR__HOLIDAY_COUNTRIES", '["US"]')
    assert load_settings(tmp_path).calendar.holiday_countries == ("US",)


@pytest.mark.parametrize(
    "text",
    [
        '[lake]\npath = "s3://AKIA:hunter2@bucket/lake"\n',
        '[mlflow]\ntracking_uri = "postgresql://me:hunter2@db/mlflow"\n',
        '[spark]\nremote = "sc://host:15002/;token=hunter2"\n',
        '[spark.conf]\n"spark.hadoop.fs.s3a.secret.key" = "hunter2"\n',
    ],
)
def test_secrets_have_no_place_in_the_settings_and_are_not_repeated(tmp_path, monkeypatch, text):
    with pytest.raises(SettingsError, match="set environment variables") as caught:
        load_settings(write(tmp_path, text))
    assert "hunter2" not in str(caught.value)
    monkeypatch.setenv("FORECASTING__SPARK__CONF", '{"spark.hadoop.fs.s3a.secret.key": "hunter2"}')
    with pytest.raises(SettingsError, match=r"\[spark\] conf") as caught:
        load_settings(write(tmp_path, ""))
    assert "hunter2" not in str(caught.value)


def test_users_providers_and_ports_are_no_secrets(tmp_path):
    conf = '"spark.hadoop.fs.s3a.aws.credentials.provider" = "some.Provider"'
    text = f'[mlflow]\ntracking_uri = "postgresql://me@db:5432/mlflow"\nartifacts = "models"\n[spark.conf]\n{conf}\n'
    assert load_settings(write(tmp_path, text)).spark.conf


@pytest.mark.parametrize("store", ["sqlite:////data/mlflow.db", "postgresql+psycopg2://me@db/mlflow"])
def test_a_database_without_a_server_needs_a_place_for_models(tmp_path, store):
    text = f'[mlflow]\ntracking_uri = "{store}"\n'
    with pytest.raises(SettingsError, match=r"\[mlflow\] artifacts"):
        load_settings(write(tmp_path, text))
    settings = load_settings(write(tmp_path, text + 'artifacts = "models"\n'))
    assert settings.artifacts_uri == (tmp_path / "models").as_uri()
    assert load_settings(write(tmp_path, text + 'artifacts = "s3://b/m"\n')).artifacts_uri == "s3://b/m"


def test_a_server_keeps_models_itself(tmp_path):
    text = '[mlflow]\ntracking_uri = "https://mlflow.example.org"\n'
    assert load_settings(write(tmp_path, text)).artifacts_uri is None
    with pytest.raises(SettingsError, match=r"\[mlflow\] artifacts"):
        load_settings(write(tmp_path, text + 'artifacts = "models"\n'))


def test_a_format_of_order_files_that_can_be_read_in_two_ways_is_refused(tmp_path):
    text = '[orders.format]\ndecimal = ","\nthousands = ","\n'
    with pytest.raises(SettingsError, match=r"\[orders\] format"):
        load_settings(write(tmp_path, text))
    with pytest.raises(SettingsError, match="utf-9"):
        load_settings(write(tmp_path, '[orders.format]\nencoding = "utf-9"\n'))
