"""`python -m forecasting_assets` is the command `forecasting-assets`."""

import sys

from forecasting_assets.cli import main

sys.exit(main())
