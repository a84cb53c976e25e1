"""A real S3 server in this process, with a bucket `shop`, and what makes it refuse."""

import json
import os
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer
from werkzeug.serving import WSGIRequestHandler

from devtools.servers import free_port

#: Requests that the server answers without asking who makes them, if it asks at all.
NEVER, AT_ONCE = "inf", "0"
BUCKET = "shop"


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """Provide the address of a server."""
    WSGIRequestHandler.log_request = lambda *_, **__: None  # type: ignore[method-assign]
    started = ThreadedMotoServer(ip_address="127.0.0.1", port=free_port(), verbose=False)
    started.start()
    host, port = started.get_host_and_port()
    yield f"http://{host}:{port}"
    started.stop()


def client(server: str, service: str, key: str = "test", secret: str = "test") -> Any:
    """Return a client of one of the server's services."""
    return boto3.client(
        service, "us-east-1", endpoint_url=server, aws_access_key_id=key, aws_secret_access_key=secret
    )


def use(monkeypatch: pytest.MonkeyPatch, key: str, secret: str) -> None:
    """Set the credentials of this process."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)


@pytest.fixture
def store(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Provide a client of an empty bucket `shop`, and an environment that may read and write it."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    use(monkeypatch, "test", "test")
    s3 = client(server, "s3")
    s3.create_bucket(Bucket=BUCKET)
    yield s3
    ask_for_credentials(server, NEVER)
    left = [{"Key": key} for key in keys(s3)]
    for begin in range(0, len(left), 1000):
        s3.delete_objects(Bucket=BUCKET, Delete={"Objects": left[begin : begin + 1000]})


def keys(s3: Any, prefix: str = "", bucket: str = BUCKET) -> list[str]:
    """Return the keys of the bucket below `prefix`, sorted."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return sorted(item["Key"] for page in pages for item in page.get("Contents", []))


def upload(s3: Any, folder: Path, prefix: str, bucket: str = BUCKET) -> None:
    """Copy the files below a folder into the bucket."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    with ThreadPoolExecutor(8) as pool:
        puts = [
            pool.submit(
                s3.put_object,
                Bucket=bucket,
                Key=f"{prefix}/{file.relative_to(folder)}",
                Body=file.read_bytes(),
            )
            for file in files
        ]
    for put in puts:
        put.result()


def ask_for_credentials(server: str, after: str) -> None:
    """Have the server verify credentials after this many requests."""
    text = {"Content-Type": "text/plain"}  # a form would be taken apart
    request = urllib.request.Request(f"{server}/moto-api/reset-auth", after.encode(), text, method="POST")
    urllib.request.urlopen(request).read()


def user(server: str, name: str, actions: list[str]) -> tuple[str, str]:
    """Return key and secret of a new user who may do `actions`."""
    iam = client(server, "iam")
    iam.create_user(UserName=name)
    if actions:
        rule = {"Effect": "Allow", "Action": actions, "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [rule]})
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]
