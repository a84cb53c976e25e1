"""Models and metrics in MLflow."""
