"""Which files are stored: pickles by any name are not."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections import OrderedDict
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelyard.errors import RefusedContent
from modelyard.registry.allowed import ALLOWED, check_content
from modelyard.registry.records import Artifact


class Harmful:
    """What an attacker pickles."""

    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("gotcha",)


PICKLES = [pickle.dumps(Harmful(), protocol) for protocol in range(6)]


def zipped(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


def npy(descr: str) -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': (1,), }}".encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(8)


def check(path: str, content: bytes) -> None:
    check_content(path, io.BytesIO(content))


ONNX = b"\x08\x08\x12\x07skl2onx\x3a\x02\x0a\x00\x42\x04\x0a\x00\x10\x15"


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("model.json", b'{"learner": {}}'),
        ("rows.json", b"[1, 2]\n"),
        ("model.txt", b"tree\nversion=v4\nnum_class=1\n\nend of trees\n"),
        ("notes.txt", b""),
        ("notes.txt", b"columns\nincome\n" + b"a long text that begins as an import does\n" * 3000),
        ("card.md", "# Karte — ü\n".encode()),
        ("report.html", b"<html></html>"),
        ("model.ubj", b"{L\x00\x00\x00\x00\x00\x00\x00\x07learner{}}"),
        ("model.onnx", ONNX),
        ("golden.parquet", b"PAR1....PAR1"),
        (
            "model.skops",
            zipped({"schema.json": b"{}", "1.npy": npy("'<f8'"), "2.npz": zipped({"a.npy": npy("'<i4'")})}),
        ),
        ("bundle.zip", zipped({"estimators/scorecard.py": b"import numpy\n"}, zipfile.ZIP_STORED)),
    ],
)
def test_files_of_the_kinds_that_are_stored_pass(path: str, content: bytes) -> None:
    check(path, content)


@pytest.mark.parametrize("suffix", sorted(ALLOWED))
@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_passes_under_no_suffix(suffix: str, protocol: int) -> None:
    with pytest.raises(RefusedContent, match="refused"):
        check(f"model{suffix}", PICKLES[protocol])


@pytest.mark.parametrize("protocol", range(6))
def test_a_long_pickle_of_text_is_seen_by_its_beginning(protocol: int) -> None:
    content = pickle.dumps([OrderedDict(a=number) for number in range(20_000)], protocol)
    with pytest.raises(RefusedContent):
        check("notes.txt", content)


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        ("model.json", b'{"a": 1}', b""),
        ("model.ubj", b"{}", b""),
        ("model.onnx", ONNX, b""),
        ("golden.parquet", b"PAR1....PAR1", b""),
        ("bundle.zip", zipped({"a.py": b""}), b""),
        ("bundle.zip", b"", zipped({"a.py": b""})),
        ("model.skops", zipped({"schema.json": b"{}"}), b""),
        ("card.md", b"# Card\n", b""),
    ],
)
def test_a_pickle_before_or_behind_something_else_is_refused(path: str, before: bytes, after: bytes) -> None:
    with pytest.raises(RefusedContent):
        check(path, before + PICKLES[4] + after)


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ({"model.pkl": b"{}"}, "by its name"),
        ({"MODEL.PICKLE": b"{}"}, "by its name"),
        ({"a/b.joblib": b"{}"}, "by its name"),
        ({"model.npy": PICKLES[2]}, "is a pickle"),
        ({"schema.json": PICKLES[0]}, "is a pickle"),
        ({"1.npy": npy("'|O'")}, "Python objects"),
        ({"1.npy": npy("'O'")}, "Python objects"),
        ({"1.npy": npy("[('a', '<f8'), ('b', '|O')]")}, "Python objects"),
        ({"1.npz": zipped({"a.npy": npy("'|O'")})}, "Python objects"),
        ({"1.npz": zipped({"a.npz": zipped({"a.npy": b""})})}, "is a zip"),
        ({"image.jpg": zipped({"model.pkl": b""})}, "is a zip"),
        ({"x.gz": b"\x1f\x8b\x08\x00pickled"}, "packed once more"),
        ({"x.z": b"BZh91AY"}, "packed once more"),
        ({"../a.py": b""}, "leads outside"),
        ({"/etc/a.py": b""}, "leads outside"),
        ({"C:/a.py": b""}, "leads outside"),
        ({"zeros.npy": bytes(30 * 1024**2)}, "unpacks to"),
    ],
)
def test_a_zip_is_looked_into(members: dict[str, bytes], why: str) -> None:
    with pytest.raises(RefusedContent, match=why):
        check("bundle.zip", zipped(members))


def test_a_link_in_a_zip_is_refused() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        link = zipfile.ZipInfo("shadow")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/shadow")
    with pytest.raises(RefusedContent, match="is a link"):
        check("bundle.zip", packed.getvalue())


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_zip_with_a_name_twice_is_refused() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a.py", "1")
        archive.writestr("a.py", "2")
    with pytest.raises(RefusedContent, match="share a name"):
        check("bundle.zip", packed.getvalue())


def test_an_encrypted_zip_is_refused() -> None:
    content = bytearray(zipped({"a.py": b"secret"}, zipfile.ZIP_STORED))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(RefusedContent, match="encrypted"):
        check("bundle.zip", bytes(content))


def test_a_zip_of_too_many_members_is_refused() -> None:
    with pytest.raises(RefusedContent, match="more than"):
        check("bundle.zip", zipped({str(number): b"" for number in range(10_001)}, zipfile.ZIP_STORED))


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_whose_member_does_not_unpack_is_refused(compression: int) -> None:
    content = bytearray(zipped({"a.py": json.dumps(list(range(1000))).encode()}, compression))
    content[40:80] = b"\xff" * 40
    with pytest.raises(RefusedContent, match="no sound zip"):
        check("bundle.zip", bytes(content))


@given(
    place=st.floats(0, 1, exclude_max=True),
    byte=st.integers(0, 255),
    path=st.sampled_from(["bundle.zip", "model.onnx"]),
)
def test_a_damaged_byte_is_refused_or_harmless(place: float, byte: int, path: str) -> None:
    content = bytearray(ONNX if path == "model.onnx" else zipped({"a.py": b"x = 1\n", "2.npz": zipped({"a.npy": b""})}))
    content[int(place * len(content))] = byte
    with suppress(RefusedContent):
        check(path, bytes(content))


@pytest.mark.parametrize("cut", [4, 30, 60, -30])
def test_a_torn_zip_is_refused(cut: int) -> None:
    with pytest.raises(RefusedContent):
        check("model.skops", zipped({"schema.json": json.dumps(list(range(100))).encode()})[:cut])


def test_a_zip_whose_index_lies_is_refused() -> None:
    content = bytearray(zipped({"a.py": b"x" * 100}, zipfile.ZIP_STORED))
    index = content.index(b"PK\x01\x02")
    content[index + 42 : index + 46] = (10_000).to_bytes(4, "little")  # where the member begins
    with pytest.raises(RefusedContent):
        check("bundle.zip", bytes(content))


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("model.json", b'{"a": 1'),
        ("model.json", b'"text"'),
        ("model.json", b"\xff\xfe{}"),
        ("model.txt", b"a\0b"),
        ("model.txt", "tree".encode("utf-16")),
        ("model.txt", b"\xc3"),
        ("model.ubj", b"[]"),
        ("model.ubj", b""),
        ("model.onnx", b""),
        ("model.onnx", ONNX[:-1]),
        ("model.onnx", b"\xff" * 40),
        ("model.onnx", b"\x0a" + b"\xff" * 8 + b"\x7f"),  # a length beyond what a file can have
        ("model.onnx", b"\x0a" + b"\xff" * 9 + b"\x7f"),  # and beyond 64 bits
        ("golden.parquet", b"PAR1"[:3]),
        ("golden.parquet", b"PAR1...."),
        ("model.skops", b""),
        ("model.skops", b"PK\x05\x06" + bytes(18)),
    ],
)
def test_what_is_not_what_its_suffix_says_is_refused(path: str, content: bytes) -> None:
    with pytest.raises(RefusedContent, match="refused"):
        check(path, content)


def test_an_unknown_suffix_is_refused() -> None:
    with pytest.raises(RefusedContent, match="store one of"):
        check("model.exe", b"MZ")
    assert Artifact(path="a.json", size=0, sha256="").media_type == "application/octet-stream"
