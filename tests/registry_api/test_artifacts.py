"""Bytes up and down: streamed, ranged, verified, and only from the claim's creator."""

from __future__ import annotations

import socket
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from modelyard.errors import StorageFull
from modelyard.registry.records import VersionState
from registry_api.ranges import Unsatisfiable, read_range
from tests.registry.making import BODY, artifact, claim_of, run_of
from tests.waiting import until

if TYPE_CHECKING:
    from modelyard.registry.local import LocalRegistry
    from modelyard.registry.records import Claim
    from tests.registries import Service

FILE = "/v1/models/ke/versions/1/artifacts/model.json"
TAG = f'"{artifact("model.json", BODY).sha256}"'


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None), ("", None), ("bytes=0-", (0, 10)), ("bytes=0-0", (0, 1)), ("bytes=3-5", (3, 6)),
        ("bytes=9-", (9, 10)), ("bytes=5-99", (5, 10)), ("bytes=-3", (7, 10)), ("bytes=-99", (0, 10)),
        ("bytes=-", None), ("bytes=5-3", None), ("bytes=0-1,3-4", None), ("items=0-1", None), ("bytes=a-b", None),
        ("bytes=0x1-2", None), ("bytes = 0-1", None), ("bytes=1-2-3", None), (f"bytes=0-{'9' * 25}", None),
    ],
)  # fmt: skip
def test_a_range_is_read_as_the_rfc_has_it(header: str | None, expected: tuple[int, int] | None) -> None:
    assert read_range(header, 10) == expected


@pytest.mark.parametrize(
    ("header", "size"), [("bytes=10-", 10), ("bytes=99-100", 10), ("bytes=-0", 10), ("bytes=0-", 0)]
)
def test_a_range_behind_the_end_cannot_be_had(header: str, size: int) -> None:
    with pytest.raises(Unsatisfiable):
        read_range(header, size)


def test_a_file_comes_whole_with_its_digest(client: httpx.Client) -> None:
    answer = client.get(FILE)
    assert (answer.status_code, answer.content) == (200, BODY)
    assert answer.headers["etag"] == TAG
    assert answer.headers["content-length"] == str(len(BODY))
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["content-disposition"] == "attachment"
    assert answer.headers["x-content-type-options"] == "nosniff"
    head = client.head(FILE)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(BODY))


def test_a_part_of_a_file_comes_as_a_part(client: httpx.Client) -> None:
    for header, part in (("bytes=2-5", BODY[2:6]), ("bytes=-4", BODY[-4:]), ("bytes=20-", BODY[20:])):
        answer = client.get(FILE, headers={"Range": header})
        assert (answer.status_code, answer.content) == (206, part)
        start = BODY.index(part)
        assert answer.headers["content-range"] == f"bytes {start}-{start + len(part) - 1}/{len(BODY)}"
    answer = client.get(FILE, headers={"Range": "bytes=99-"})
    assert (answer.status_code, answer.headers["content-range"]) == (416, f"bytes */{len(BODY)}")
    assert answer.json()["type"] == "urn:modelyard:problem:range-not-satisfiable"
    assert answer.json()["detail"] == f"the file has {len(BODY)} bytes, and none of them is in `bytes=99-`"
    assert client.get(FILE, headers={"Range": "bytes=0-1", "If-Range": TAG}).status_code == 206
    assert client.get(FILE, headers={"Range": "bytes=0-1", "If-Range": '"old"'}).status_code == 200


def test_a_file_that_the_client_has_does_not_come_again(client: httpx.Client) -> None:
    for header in (TAG, f'"other", W/{TAG}', "*"):
        answer = client.get(FILE, headers={"If-None-Match": header})
        assert (answer.status_code, answer.content) == (304, b"")
    assert client.get(FILE, headers={"If-None-Match": '"other"'}).status_code == 200


def test_what_is_not_there_is_not_found(client: httpx.Client) -> None:
    for path in ("other.json", "../model.json", "%2e%2e/model.json", "a/b/c.json"):
        assert client.get(f"/v1/models/ke/versions/1/artifacts/{path}").status_code == 404
    assert client.get("/v1/models/ke/versions/99/artifacts/model.json").status_code == 404


@pytest.fixture
def claim(client: httpx.Client, request: pytest.FixtureRequest) -> Claim:
    from modelyard.registry.records import Claim

    body = claim_of(f"claim of {request.node.name}"[:200]).model_dump_json()
    answer = client.post("/v1/models/ke/versions", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 201
    return Claim.model_validate_json(answer.content)


def test_bytes_go_up_to_the_target(client: httpx.Client, claim: Claim) -> None:
    (target,) = claim.targets
    assert target.url == f"/v1/models/ke/versions/{claim.version.number}/artifacts/model.json"
    for _ in range(2):
        answer = client.put(target.url, content=BODY, headers=target.headers)
        assert (answer.status_code, answer.content) == (204, b"")
    complete = client.post(f"/v1/models/ke/versions/{claim.version.number}/complete")
    assert complete.json()["state"] == VersionState.READY
    assert client.put(target.url, content=BODY, headers=target.headers).status_code == 204, "the same bytes do no harm"
    assert client.put(target.url, content=BODY[::-1], headers=target.headers).status_code == 422
    assert client.get(target.url).content == BODY


def test_only_the_creator_sends_bytes(client: httpx.Client, claim: Claim) -> None:
    (target,) = claim.targets
    for headers in ({"Modelyard-Claim": "0" * 32}, {"Modelyard-Claim": ""}, {"Modelyard-Claim": "\xff"}):
        raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        assert client.put(target.url, content=BODY, headers=raw).status_code == 404
    assert client.put(target.url, content=BODY).status_code == 422
    other = target.url.replace("model.json", "other.json")
    assert client.put(other, content=BODY, headers=target.headers).status_code == 404


@pytest.mark.parametrize("sent", [BODY[:1], BODY[:-1], BODY + b"!", BODY[::-1], b""])
def test_other_bytes_are_refused_and_not_kept(
    client: httpx.Client, local: LocalRegistry, claim: Claim, sent: bytes
) -> None:
    (target,) = claim.targets
    answer = client.put(target.url, content=sent, headers=target.headers)
    assert answer.status_code == 422
    assert answer.json()["type"].endswith(":integrity")
    assert list(local._artifacts.stored(claim.version.location)) == []
    complete = client.post(f"/v1/models/ke/versions/{claim.version.number}/complete")
    assert (complete.status_code, complete.json()["type"].rpartition(":")[2]) == (422, "not-uploaded")
    assert client.get(f"/v1/models/ke/versions/{claim.version.number}").status_code == 404


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_an_upload_that_breaks_leaves_nothing(
    service: Service, local: LocalRegistry, claim: Claim, share: float
) -> None:
    (target,) = claim.targets
    host, port = service.url.removeprefix("http://").split(":")
    head = "".join(f"{name}: {value}\r\n" for name, value in target.headers.items())
    request = f"PUT {target.url} HTTP/1.1\r\nHost: {host}\r\n{head}Content-Length: {len(BODY)}\r\n\r\n".encode()
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(request + BODY[: int(len(BODY) * share)])
        until(lambda: list(local._artifacts.stored(claim.version.location)) != [])
    until(lambda: list(local._artifacts.stored(claim.version.location)) == [])
    assert httpx.put(service.url + target.url, content=BODY, headers=target.headers, trust_env=False).is_success


def test_a_kind_that_is_not_stored_is_refused(client: httpx.Client) -> None:
    body = claim_of("a pickle", files={"model.pkl": b"x"}).model_dump_json()
    answer = client.post("/v1/models/ke/versions", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["type"]) == (415, "urn:modelyard:problem:refused-content")


def test_a_pickle_under_another_name_is_refused_when_completed(client: httpx.Client) -> None:
    content = b"\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00]\x94K\x01a."
    body = claim_of("hidden", files={"model.ubj": content}).model_dump_json()
    claimed = client.post("/v1/models/ke/versions", content=body, headers={"Content-Type": "application/json"}).json()
    (target,) = claimed["targets"]
    assert client.put(target["url"], content=content, headers=target["headers"]).status_code == 204
    answer = client.post(f"/v1/models/ke/versions/{claimed['version']['number']}/complete")
    assert (answer.status_code, answer.json()["type"]) == (415, "urn:modelyard:problem:refused-content")


def test_a_full_disk_is_507(
    client: httpx.Client, local: LocalRegistry, claim: Claim, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        msg = "no room for `model.json`"
        raise StorageFull(msg, "make room")

    monkeypatch.setattr(local._artifacts, "writing", full)
    (target,) = claim.targets
    answer = client.put(target.url, content=BODY, headers=target.headers)
    assert (answer.status_code, answer.json()["hint"]) == (507, "make room")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full is a thing of Linux")
@pytest.mark.parametrize("size", [1, 1_000_000])
def test_no_room_for_a_log_is_507(client: httpx.Client, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr("tempfile.TemporaryFile", partial(Path("/dev/full").open, "r+b"))
    answer = client.put(f"/v1/runs/{run_of().id}/log", content=b"x" * size)
    assert (answer.status_code, answer.json()["type"]) == (507, "urn:modelyard:problem:storage-full")


def test_large_files_stream_both_ways(client: httpx.Client, tmp_path: Path) -> None:
    large = b"[" + b"0.123456789, " * 1_000_000 + b"0]"
    body = claim_of("large", files={"model.json": large}).model_dump_json()
    claimed = client.post("/v1/models/ke/versions", content=body, headers={"Content-Type": "application/json"}).json()
    (target,) = claimed["targets"]
    pieces = (large[start : start + 50_000] for start in range(0, len(large), 50_000))
    assert client.put(target["url"], content=pieces, headers=target["headers"]).status_code == 204
    assert client.post(f"/v1/models/ke/versions/{claimed['version']['number']}/complete").status_code == 200
    with client.stream("GET", target["url"]) as answer, (tmp_path / "got").open("wb") as file:
        for chunk in answer.iter_bytes():
            file.write(chunk)
    assert (tmp_path / "got").read_bytes() == large
