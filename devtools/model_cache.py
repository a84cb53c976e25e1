"""Make runs fit their models again, for tests and benchmarks that need to see the fitting."""

from pathlib import Path

from forecasting_assets.settings import load_settings


def forget_fits(home: Path) -> None:
    """Make the next run in `home` fit its models, although MLflow holds models that it could reuse."""
    import mlflow

    settings = load_settings(home)
    if settings.mlflow.tracking_uri is None and not (home / "mlflow.db").exists():
        return
    uri = settings.tracking_uri
    client = mlflow.MlflowClient(uri, uri)
    for model in client.search_registered_models():
        for version in client.search_model_versions(f"name = '{model.name}'"):
            if "fit" in version.tags:
                client.delete_model_version_tag(model.name, version.version, "fit")
