"""The homes that the browser tests work on."""

from forecasting_assets_tests.support.homes import home as home
from forecasting_assets_tests.support.homes import home_copy as home_copy
