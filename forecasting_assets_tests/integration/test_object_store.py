"""Order files in an object store: a real S3 server, with and without what it takes to read it."""

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer
from werkzeug.serving import WSGIRequestHandler

from devtools.servers import free_port
from forecasting_assets.lake.lake import Lake
from forecasting_assets.lake.landing import Landing
from forecasting_assets.settings import load_settings
from forecasting_assets.storage import StoreError
from forecasting_assets.tables import ORDER_COLUMNS, WEEKLY_DEMAND
from forecasting_assets.weeks import parse_week

HEADER = "order_id,order_date,part_id,region,quantity,unit_price\n"
NAMES = {name: name for name in ORDER_COLUMNS}
#: Requests that the server answers without asking who makes them, if it asks at all.
NEVER, AT_ONCE = "inf", "0"


@pytest.fixture(scope="module")
def server():
    WSGIRequestHandler.log_request = lambda *_, **__: None  # type: ignore[method-assign]
    started = ThreadedMotoServer(ip_address="127.0.0.1", port=free_port(), verbose=False)
    started.start()
    host, port = started.get_host_and_port()
    yield f"http://{host}:{port}"
    started.stop()


def client(server: str, service: str, key: str = "test", secret: str = "test"):
    return boto3.client(
        service, "us-east-1", endpoint_url=server, aws_access_key_id=key, aws_secret_access_key=secret
    )


def ask_for_credentials(server: str, after: str) -> None:
    text = {"Content-Type": "text/plain"}  # a form would be taken apart
    request = urllib.request.Request(f"{server}/moto-api/reset-auth", after.encode(), text, method="POST")
    urllib.request.urlopen(request).read()


@pytest.fixture
def store(server, monkeypatch, tmp_path):
    """A bucket `shop` with an order file, and an environment that may read it."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    use(monkeypatch, "test", "test")
    s3 = client(server, "s3")
    s3.create_bucket(Bucket="shop")
    put(s3, "orders/a.csv", "2024-03-04", "2024-03-12")
    yield s3
    ask_for_credentials(server, NEVER)
    for item in s3.list_objects_v2(Bucket="shop").get("Contents", []):
        s3.delete_object(Bucket="shop", Key=item["Key"])


def use(monkeypatch, key: str, secret: str) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)


def put(s3, key: str, *dates: str) -> None:
    rows = "".join(f"o{i},{day},p,EU,5,2\n" for i, day in enumerate(dates))
    s3.put_object(Bucket="shop", Key=key, Body=(HEADER + rows).encode())


@pytest.mark.parametrize("url", ["s3://shop/orders", "s3://shop/orders/", "s3a://shop/orders"])
def test_order_files_of_a_bucket_are_known(store, tmp_path, url):
    put(store, "orders/2024/b.csv", "2024-03-04")
    store.put_object(Bucket="shop", Key="orders/2024/", Body=b"")  # a folder, as consoles make it
    store.put_object(Bucket="shop", Key="orders/c.zip", Body=b"PK")
    store.put_object(Bucket="shop", Key="orders/_SUCCESS", Body=b"")
    landing = Landing.at(tmp_path, url, NAMES)
    assert [(file.name, file.rows, file.error) for file in landing.refresh()] == [
        ("2024/b.csv", 1, None),
        ("a.csv", 2, None),
    ]
    assert landing.unread_files() == ["c.zip"]


def test_an_object_that_is_put_again_is_the_file_it_was(store, tmp_path):
    landing = Landing.at(tmp_path, "s3://shop/orders", NAMES)
    before = landing.refresh()
    store.put_object(Bucket="shop", Key="orders/later.csv", Body=HEADER.encode())
    content = store.get_object(Bucket="shop", Key="orders/a.csv")["Body"].read()
    store.put_object(Bucket="shop", Key="orders/a.csv", Body=content)
    store.delete_object(Bucket="shop", Key="orders/later.csv")
    assert landing.refresh() == before


def without_bucket(server, monkeypatch) -> str:
    return "s3://nobody/orders"


def without_folder(server, monkeypatch) -> str:
    return "s3://shop/nothing"


def with_wrong_key(server, monkeypatch) -> str:
    ask_for_credentials(server, AT_ONCE)
    return "s3://shop/orders"


def with_wrong_secret(server, monkeypatch) -> str:
    use(monkeypatch, *user(server, "allowed", ["s3:*"])[:1], "wrong")
    ask_for_credentials(server, AT_ONCE)
    return "s3://shop/orders"


def without_permission(server, monkeypatch) -> str:
    use(monkeypatch, *user(server, "refused", []))
    ask_for_credentials(server, AT_ONCE)
    return "s3://shop/orders"


def with_permission_to_list_alone(server, monkeypatch) -> str:
    use(monkeypatch, *user(server, "half", ["s3:ListBucket"]))
    ask_for_credentials(server, AT_ONCE)
    return "s3://shop/orders"


def without_server(server, monkeypatch) -> str:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    return "s3://shop/orders"


def user(server: str, name: str, actions: list[str]) -> tuple[str, str]:
    """Key and secret of a new user who may do `actions`."""
    iam = client(server, "iam")
    iam.create_user(UserName=name)
    if actions:
        rule = {"Effect": "Allow", "Action": actions, "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [rule]})
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        (without_bucket, "missing"),
        (without_folder, "missing"),
        (with_wrong_key, "credentials"),
        (with_wrong_secret, "credentials"),
        (without_permission, "permission"),
        (with_permission_to_list_alone, "permission"),
        (without_server, "unreachable"),
    ],
)
def test_a_store_that_does_not_answer_changes_nothing_that_is_known(
    store, server, monkeypatch, tmp_path, spoil, kind
):
    known = Landing.at(tmp_path, "s3://shop/orders", NAMES).refresh()
    put(store, "orders/new.csv", "2024-03-18")
    spoiled = Landing.at(tmp_path, spoil(server, monkeypatch), NAMES)
    with pytest.raises(StoreError) as caught:
        spoiled.refresh()
    assert (caught.value.kind, caught.value.store) == (kind, spoiled.path)
    assert caught.value.remedy
    assert spoiled.files() == known
    assert not os.path.exists(spoiled.quarantine)


def run(*arguments: str) -> tuple[int, str]:
    """A command in a process of its own, as Spark's workers keep the environment in which Spark was started."""
    tool = Path(sys.executable).parent / "forecasting-assets"
    done = subprocess.run([tool, *arguments], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout


@pytest.mark.spark
def test_weeks_are_made_from_a_bucket(store, tmp_path, monkeypatch):
    home = tmp_path / "home"
    monkeypatch.setenv("FORECASTING_HOME", str(home))
    code, text = run("init", "--orders", "s3://nobody/orders")
    assert (code, "check the name of the bucket" in text) == (2, True)
    assert not home.exists()
    assert run("init", "--orders", "s3a://shop/orders")[0] == 0
    weeks = ["2024-03-04", "2024-03-11"]
    code, text = run("materialize", "--from", weeks[0], "--to", weeks[1], "--select", "+key:weekly_demand")
    assert code == 0, text
    demand = Lake(path=load_settings().lake_path).read_pandas(WEEKLY_DEMAND, map(parse_week, weeks))
    assert demand["quantity"].tolist() == [5.0, 5.0]
    put(store, "orders/late.csv", "2024-03-05")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    code, text = run("status")
    assert (code, "s3a://shop/orders cannot be read" in text) == (0, True)
