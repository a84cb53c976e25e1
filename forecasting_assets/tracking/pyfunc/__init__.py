"""Source code of the models as MLflow loads them: plain code and plain files, no pickles."""
