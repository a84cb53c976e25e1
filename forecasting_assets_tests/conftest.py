"""What all tests need: an environment without the settings of whoever runs them, and hypothesis's profile."""

import os
import tempfile

import hypothesis
import pytest

#: Parts of the paths of test files, in the order in which they run. The first makes the home that many integration
#: tests wait for; meanwhile others run that do without it. Small files come last, so that all processes end together.
_ORDER = ("/integration/test_chain.py", "/unit/allocation/", "/integration/", "/e2e/", "")

for name in [name for name in os.environ if name.startswith("FORECASTING_")]:
    del os.environ[name]
# Sessions are short here: Java's second compiler would take longer than it saves.
os.environ["JAVA_TOOL_OPTIONS"] = "-XX:TieredStopAtLevel=1"
os.environ["FORECASTING_HOME"] = tempfile.mkdtemp(prefix="forecasting-tests-")

# The duration of an example depends on the machine more than on the code.
hypothesis.settings.register_profile("platform", deadline=None)
hypothesis.settings.load_profile("platform")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the test files into the order in which they run."""
    items.sort(key=lambda item: [part in item.path.as_posix() for part in _ORDER].index(True))
