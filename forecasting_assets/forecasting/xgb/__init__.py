"""XGBoost: one global model over all series and horizons that forecasts demand directly from features.

Features and targets are distances from the level of the series, in units of how much it varies (`usual`), so large and
small, calm and erratic series share parameters. The horizon is a feature, so one model forecasts every horizon. The
season that SARIMAX has learned is taken out of demand before and added to the forecast after, as trees cannot
extrapolate it; only half of it where enough earlier years are known for the trees to learn the rest. Beyond that the
trees do not see the SARIMAX forecast, so that the errors of both models differ and their average is better than either.
The mean has a squared loss, the quantiles have the pinball loss.

Modules: `usual` (level and volatility), `baseline` (what is computed from a panel), `design` (the feature matrix),
`pairs` (which rows are trained on), `training`, `prediction`, `model` (the fitted model and its files).

References
----------
Montero-Manso and Hyndman (2021), "Principles and algorithms for forecasting groups of time series: locality and
globality".
"""

from forecasting_assets.forecasting.xgb.baseline import Baseline
from forecasting_assets.forecasting.xgb.design import (
    BOOK_FEATURES,
    CATEGORIES,
    FEATURES,
    design,
    feature_names,
)
from forecasting_assets.forecasting.xgb.model import XgbModel, importance, load, load_booster, save
from forecasting_assets.forecasting.xgb.pairs import TrainingPairs, closed_pairs
from forecasting_assets.forecasting.xgb.prediction import predict
from forecasting_assets.forecasting.xgb.training import (
    MEAN_PARAMETERS,
    TRAINING_PARAMETERS,
    MeanRows,
    TrainingPlan,
    UntrainedMean,
    fit,
    fit_planned,
    plan_training,
    train,
)

__all__ = [
    "BOOK_FEATURES",
    "CATEGORIES",
    "FEATURES",
    "MEAN_PARAMETERS",
    "TRAINING_PARAMETERS",
    "Baseline",
    "MeanRows",
    "TrainingPairs",
    "TrainingPlan",
    "UntrainedMean",
    "XgbModel",
    "closed_pairs",
    "design",
    "feature_names",
    "fit",
    "fit_planned",
    "importance",
    "load",
    "load_booster",
    "plan_training",
    "predict",
    "save",
    "train",
]
