"""The Dagster code location of the home that FORECASTING_HOME names."""

from forecasting_assets.orchestration.build import build_defs
from forecasting_assets.settings import load_settings

defs = build_defs(load_settings())
