"""Helpers that several test packages share: homes, runs, order files, servers and sample data."""
