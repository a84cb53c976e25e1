"""XGBoost: one global model over all series and horizons that corrects SARIMAX where the features show how.

The trees start from what SARIMAX forecast out of sample at every past origin: those of the mean from its mean, by a
logarithmic link, and those of the quantiles from the quantiles of its errors, relative to the error expected of the
series. So the seasons and levels that trees cannot extrapolate are already there, large and small series share
parameters, and few trees are enough. The horizon is a feature, so one model forecasts every horizon directly. The
mean has a Tweedie loss, as demand is zero or positive and skewed; the quantiles have the pinball loss.

Modules: `baseline` (the SARIMAX forecasts that the trees start from), `design` (the feature matrix), `pairs` (which
rows are trained on), `training`, `prediction`, `model` (the fitted model and its files).

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
    SARIMAX_ERRORS,
    design,
    feature_names,
    order_size,
)
from forecasting_assets.forecasting.xgb.model import XgbModel, importance, load, load_booster, save
from forecasting_assets.forecasting.xgb.pairs import TrainingPairs, closed_pairs, first_target
from forecasting_assets.forecasting.xgb.prediction import predict
from forecasting_assets.forecasting.xgb.training import (
    MEAN_PARAMETERS,
    TRAINING_PARAMETERS,
    MeanRows,
    NotEnoughHistory,
    TrainingData,
    TrainingPlan,
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
    "SARIMAX_ERRORS",
    "TRAINING_PARAMETERS",
    "Baseline",
    "MeanRows",
    "NotEnoughHistory",
    "TrainingData",
    "TrainingPairs",
    "TrainingPlan",
    "XgbModel",
    "closed_pairs",
    "design",
    "feature_names",
    "first_target",
    "fit",
    "fit_planned",
    "importance",
    "load",
    "load_booster",
    "order_size",
    "plan_training",
    "predict",
    "save",
    "train",
]
