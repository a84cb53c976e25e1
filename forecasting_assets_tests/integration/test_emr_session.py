"""A session of EMR Serverless: a real Spark Connect server behind a gateway whose tokens expire during the run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pyspark
import pytest

from forecasting_assets.tables import CLEAN_ORDERS, RAW_ORDERS, WEEKLY_DEMAND
from forecasting_assets_tests.faults.harness import assert_same_lake
from forecasting_assets_tests.support.homes import WEEKS
from forecasting_assets_tests.support.spark_cluster import connect_server

pytestmark = [pytest.mark.spark, pytest.mark.matrix]
WEEK = WEEKS[40]
#: Runs a command in a session behind a gateway; the token is replaced a second before it expires.
PROGRAM = """
import json, sys
server, scripts, *command = sys.argv[1:]
sys.path.insert(0, scripts)
import emr_session
from forecasting_assets_tests.support.token_gateway import token_gateway
emr_session.MARGIN = emr_session.timedelta(seconds=1)
with token_gateway(server, emr_session.HEADER, seconds=4) as gateway:
    token = emr_session.Token(gateway, "application", "session")
    code = emr_session.run(emr_session.TokenChannel(token.endpoint, token), command)
    print(json.dumps([code, gateway.refused, gateway.accepted]))
"""


def test_a_run_goes_on_when_the_token_of_its_session_expires(home, home_copy, tmp_path):
    scripts = str(Path(__file__).parents[2] / "deploy" / "aws")
    week = ["--from", str(WEEK), "--to", str(WEEK)]
    command = ["materialize", *week, "--select", "raw_orders,clean_orders,weekly_demand"]
    with connect_server(Path(pyspark.__file__).parent, tmp_path, PYSPARK_PYTHON=sys.executable) as server:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, server.removeprefix("sc://"), scripts, *command],
            env={**os.environ, "FORECASTING_HOME": str(home_copy.path)},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    code, refused, accepted = json.loads(done.stdout.splitlines()[-1])
    assert (code, refused) == (0, 0), done.stdout
    assert len(accepted) > 2  # tokens
    assert_same_lake(home, home_copy, [WEEK], [RAW_ORDERS, CLEAN_ORDERS, WEEKLY_DEMAND])
