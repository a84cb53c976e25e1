"""Tools that both the tests and the benchmarks use.

Neither of them imports the other, and the platform imports nothing from here.
"""
