"""Forecasting models, their evaluation and their combination, as functions on tables and arrays."""
