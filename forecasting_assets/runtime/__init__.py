"""Processes: Spark sessions and servers, the warm process that runs are forked from, run launcher, event log."""
