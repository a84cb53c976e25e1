"""The fitted model and the files that it is saved in."""

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from forecasting_assets.forecasting.panel import split_covariates
from forecasting_assets.forecasting.sarimax import SarimaxModel
from forecasting_assets.forecasting.season import GroupTotals
from forecasting_assets.forecasting.settings import ForecastingSettings
from forecasting_assets.forecasting.xgb.baseline import Baseline
from forecasting_assets.forecasting.xgb.design import feature_names

#: One thread each: two threads save a third of the time on an idle machine, but take twenty times as long where they
#: compete for the same core.
COMMON_PARAMETERS = {"tree_method": "hist", "max_bin": 128, "nthread": 1, "verbosity": 0}
#: Folder of the model with covariates, within that of the model without.
_PLANNED = "planned"


@dataclass(frozen=True)
class XgbModel:
    """A fitted model.

    Attributes
    ----------
    sarimax
        SARIMAX model, from which the trees take the cleaning of unusual weeks, the order book and the effect of
        covariates.
    mean, quantiles
        The boosters.
    categories
        Values of each categorical feature; a value is encoded by its position.
    countries
        ISO 3166 codes of the countries whose public holidays are a feature.
    rows
        Number of rows that the mean was trained on.
    with_earlier_years
        Whether earlier years are a feature.
    with_book
        Whether the order book is a feature.
    planned
        The model that forecasts weeks whose covariates are known. None if they were known of too few past weeks.
    """

    sarimax: SarimaxModel
    mean: Any
    quantiles: Any
    categories: dict[str, list[str]]
    countries: tuple[str, ...]
    rows: int
    with_earlier_years: bool = False
    with_book: bool = False
    planned: "XgbModel | None" = None

    @property
    def features(self) -> list[str]:
        """Names of the features, in the order of the feature matrix."""
        covariates = self.sarimax.effect.names if self.sarimax.effect else ()
        return feature_names(self.with_earlier_years, self.with_book, covariates)

    @property
    def week(self) -> date:
        """The last week that the model was fitted to."""
        return self.sarimax.week

    def baseline(
        self, history: pd.DataFrame, totals: GroupTotals, last: date, settings: ForecastingSettings
    ) -> Baseline:
        """Return the panel of the series of `history` up to the week `last`."""
        return Baseline.from_history(self.sarimax, history, totals, last, settings, self.with_earlier_years)

    def planned_baseline(
        self, history: pd.DataFrame, totals: GroupTotals, last: date, settings: ForecastingSettings
    ) -> tuple["XgbModel", Baseline, np.ndarray] | None:
        """Return the model with covariates, its panel, and which weeks it forecasts.

        Returns
        -------
        tuple or None
            The model, its panel, and whether all covariates of the target week are known at the origin, (series, weeks,
            horizon). None if there is no such model, or nothing is known ahead of these series.
        """
        if not self.planned or split_covariates(history)[1] is None:
            return None
        base = self.planned.baseline(history, totals, last, settings)
        regressors = base.rolling.regressors
        return (self.planned, base, regressors.covariates.complete) if regressors else None


def importance(model: XgbModel) -> pd.DataFrame:
    """Return the importance of each feature.

    Returns
    -------
    pandas.DataFrame
        feature, model (mean, quantiles) and gain as a share of that model's total gain, largest first.
    """
    tables = []
    for name in ("mean", "quantiles"):
        gain = pd.Series(getattr(model, name).get_score(importance_type="total_gain"), dtype=float)
        gain.index = pd.Index([model.features[int(f.removeprefix("f"))] for f in gain.index])
        share = (gain / gain.sum()).sort_values(ascending=False)
        tables.append(pd.DataFrame({"feature": share.index, "model": name, "gain": share.to_numpy()}))
    return pd.concat(tables, ignore_index=True)


def save(model: XgbModel, folder: Path) -> None:
    """Write mean.ubj, quantiles.ubj and model.json to `folder`, and its model with covariates to a folder in it."""
    folder.mkdir(parents=True, exist_ok=True)
    model.mean.save_model(folder / "mean.ubj")
    model.quantiles.save_model(folder / "quantiles.ubj")
    description = {
        "rows": model.rows,
        "countries": list(model.countries),
        "categories": model.categories,
        "with_earlier_years": model.with_earlier_years,
        "with_book": model.with_book,
        "features": model.features,
        "sarimax": model.sarimax.to_dict(),
    }
    (folder / "model.json").write_text(json.dumps(description, indent=1))
    if model.planned:
        save(model.planned, folder / _PLANNED)


def load(folder: Path) -> XgbModel:
    """Read the model that `save` wrote.

    Raises
    ------
    ValueError
        If the model was trained on other features.
    """
    description = json.loads((folder / "model.json").read_text())
    model = XgbModel(
        SarimaxModel.from_dict(description["sarimax"]),
        load_booster(folder / "mean.ubj"),
        load_booster(folder / "quantiles.ubj"),
        description["categories"],
        tuple(description["countries"]),
        description["rows"],
        # Models of earlier versions lack it; they are rejected below, as their features differ.
        description.get("with_earlier_years", False),
        description["with_book"],
        load(folder / _PLANNED) if (folder / _PLANNED).exists() else None,
    )
    if description["features"] != model.features:
        changed = sorted(set(description["features"]) ^ set(model.features)) or "their order"
        raise ValueError(f"{folder / 'model.json'}: features differ ({changed}); fit the model again")
    return model


def load_booster(saved: Path | bytearray) -> Any:
    """Read a saved booster, with the number of threads, which is not part of what XGBoost saves."""
    import xgboost

    return xgboost.Booster(COMMON_PARAMETERS, model_file=saved)
