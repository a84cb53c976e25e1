"""The command line as an application of spark-submit: `spark-submit … spark_submit.py materialize`."""

import sys

from forecasting_assets.cli import main

sys.exit(main())
