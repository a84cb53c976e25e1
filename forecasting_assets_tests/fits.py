"""Models that MLflow keeps, as if there were none: for whoever wants to see them fitted."""

from pathlib import Path

from forecasting_assets.settings import load_settings


def forget_fits(home: Path) -> None:
    """Have the next run in `home` fit its models anew, whatever earlier ones learnt."""
    import mlflow

    if not (home / "mlflow.db").exists():
        return
    uri = load_settings(home).tracking_uri
    client = mlflow.MlflowClient(uri, uri)
    for model in client.search_registered_models():
        for alias in model.aliases:
            if alias.startswith("fit-"):
                client.delete_registered_model_alias(model.name, alias)
