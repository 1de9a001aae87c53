"""A store of objects on this machine, which the tests start: the S3 of moto, a fake.

What stands in it is asked for with the library alone, not with the program.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import obstore
from obstore.store import S3Store

KEY, SECRET = "AKIDTESTTESTTEST", "secret/of+the/tests"
_STARTED = re.compile(r"Running on (http://127\.0\.0\.1:[0-9]+)")
_REQUEST = re.compile(r'"(?:\x1b\[[0-9;]*m)*([A-Z]+) (/\S*) HTTP')


@dataclass(frozen=True)
class Storage:
    """A running store. `log` is where it writes each request."""

    endpoint: str
    log: Path

    @property
    def variables(self) -> dict[str, str]:
        """The environment of those who use it."""
        return {
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": self.endpoint,
        }

    def bucket(self, name: str | None = None) -> str:
        """The name of a new bucket, by itself one that no other has."""
        name = name or f"bucket-{uuid.uuid4().hex}"
        urllib.request.urlopen(  # noqa: S310 - on this machine
            urllib.request.Request(f"{self.endpoint}/{name}", method="PUT")  # noqa: S310
        ).close()
        return name

    def put_raw(self, bucket: str, key: str) -> None:
        """Put an empty object with a key that the library would not ask for."""
        urllib.request.urlopen(  # noqa: S310
            urllib.request.Request(f"{self.endpoint}/{bucket}/{key}", data=b"", method="PUT")  # noqa: S310
        ).close()

    def requests(self) -> list[tuple[str, str]]:
        """Method and path of all requests up to now."""
        return _REQUEST.findall(self.log.read_text())


@contextmanager
def running(folder: Path) -> Iterator[Storage]:
    """A store, while it runs."""
    log = folder / "requests.log"
    with log.open("w") as file:
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
    try:
        end = time.monotonic() + 60
        while (started := _STARTED.search(log.read_text())) is None:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.05)
        yield Storage(started[1], log)
    finally:
        process.kill()
        process.wait()


def objects(bucket: str, prefix: str = "") -> dict[str, bytes]:
    """All objects below a prefix, by what follows it in their keys."""
    store = S3Store(bucket, prefix=prefix or None, client_options={"allow_http": True})
    found: dict[str, bytes] = {}
    for chunk in obstore.list(store):
        found |= {meta["path"]: bytes(obstore.get(store, meta["path"]).bytes()) for meta in chunk}
    return found


def e_tags(bucket: str, prefix: str = "") -> dict[str, str | None]:
    """The ETags of all objects below a prefix."""
    store = S3Store(bucket, prefix=prefix or None, client_options={"allow_http": True})
    return {meta["path"]: meta["e_tag"] for chunk in obstore.list(store) for meta in chunk}


def put(bucket: str, files: Mapping[str, bytes]) -> None:
    """Put objects."""
    store = S3Store(bucket, client_options={"allow_http": True})
    for key, content in files.items():
        obstore.put(store, key, content)


def remove(bucket: str, key: str) -> None:
    """Delete an object."""
    obstore.delete(S3Store(bucket, client_options={"allow_http": True}), key)


def upload(bucket: str, prefix: str, folder: Path) -> str:
    """Put all files below a folder; the URL."""
    files = [file for file in folder.rglob("*") if file.is_file()]
    put(bucket, {f"{prefix}/{file.relative_to(folder).as_posix()}": file.read_bytes() for file in files})
    return f"s3://{bucket}/{prefix}"


def download(bucket: str, prefix: str, folder: Path) -> Path:
    """Write all objects below a prefix as files below a folder."""
    for key, content in objects(bucket, prefix).items():
        file = folder / key
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return folder


def object_hashes(bucket: str, prefix: str = "", *, but: str = "_runs") -> dict[str, str]:
    """SHA-256 of all objects below a prefix but those in one folder."""
    found = objects(bucket, prefix)
    return {key: hashlib.sha256(content).hexdigest() for key, content in found.items() if but not in key.split("/")}
