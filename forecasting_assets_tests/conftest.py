"""What all tests need: an environment without the settings of whoever runs them, and hypothesis's profile."""

import os
import tempfile

import hypothesis

for name in [name for name in os.environ if name.startswith("FORECASTING_")]:
    del os.environ[name]
# Sessions are short here: Java's second compiler would take longer than it saves.
os.environ["JAVA_TOOL_OPTIONS"] = "-XX:TieredStopAtLevel=1"
os.environ["FORECASTING_HOME"] = tempfile.mkdtemp(prefix="forecasting-tests-")

# The duration of an example depends on the machine more than on the code.
hypothesis.settings.register_profile("platform", deadline=None)
hypothesis.settings.load_profile("platform")
