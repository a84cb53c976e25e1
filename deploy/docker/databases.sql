-- PostgreSQL's image makes the database of Dagster; this one is MLflow's.
CREATE DATABASE mlflow;
