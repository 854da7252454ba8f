"""Headers about digests: what is wanted, and what is sent with an upload."""

from base64 import b64encode
from contextlib import suppress
from http import HTTPStatus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from davfs.checksums import DIGEST_NAMES, Algorithm, RunningChecksums
from davfs.doors.webdav.digests import are_wanted, digest_headers
from davfs.doors.webdav.http_errors import HttpError
from davfs.doors.webdav.upload_headers import UploadHeaders

KNOWN = RunningChecksums([Algorithm.MD5, Algorithm.SHA256]).digests()
MD5, SHA256 = (b64encode(KNOWN[each]).decode() for each in (Algorithm.MD5, Algorithm.SHA256))
ANYTHING = st.text(st.characters(max_codepoint=255), max_size=80) | st.text("md5sha-256=:,;q10. \t*AB/+", max_size=80)


@pytest.mark.parametrize(
    ("wanted", "sent"),
    [
        ({"REPR_DIGEST": "md5=1"}, {"Repr-Digest": f"md5=:{MD5}:"}),
        ({"REPR_DIGEST": "sha-256=1, md5=10"}, {"Repr-Digest": f"md5=:{MD5}:, sha-256=:{SHA256}:"}),
        ({"REPR_DIGEST": "\tsha-512=1,md5=3;x=y ,, *=1"}, {"Repr-Digest": f"md5=:{MD5}:"}),
        ({"REPR_DIGEST": "sha-512=1"}, {}),
        ({"REPR_DIGEST": "md5=0, sha-256=0"}, {}),
        ({"DIGEST": "MD5;q=0.3, sha-256;q=1.0"}, {"Digest": f"MD5={MD5},SHA-256={SHA256}"}),
        ({"DIGEST": "md5 ; q=0.000"}, {}),
        ({"DIGEST": "md5", "REPR_DIGEST": "sha-256=1"}, {"Digest": f"MD5={MD5}", "Repr-Digest": f"sha-256=:{SHA256}:"}),
        ({}, {}),
    ],
)
def test_wanted(wanted: dict[str, str], sent: dict[str, str]) -> None:
    """Those digests are sent that are wanted and known, in the form in which they were asked for."""
    headers = {f"HTTP_WANT_{name}": value for name, value in wanted.items()}
    assert dict(digest_headers(headers, KNOWN)) == sent
    assert are_wanted(headers) or not sent


@given(repr_digest=ANYTHING, digest=ANYTHING)
@example(repr_digest="md5=" + "1" * 80, digest="md5;q=" + "0." * 40)
def test_any_wish(repr_digest: str, digest: str) -> None:
    """No wish fails, and none is answered by anything but what is known."""
    headers = {"HTTP_WANT_REPR_DIGEST": repr_digest, "HTTP_WANT_DIGEST": digest}
    for _, value in digest_headers(headers, KNOWN):
        assert are_wanted(headers)
        assert not set(value) & set("\r\n")
    assert not list(digest_headers(headers, {}))


@given(
    st.sampled_from(["OC_CHECKSUM", "CONTENT_MD5", "REPR_DIGEST", "CONTENT_DIGEST", "DIGEST", "X_OC_MTIME"]),
    ANYTHING,
    st.sampled_from(["{}", "MD5:{}", "md5=:{}:", "md5={}", "sha-256=:{}:, md5=:{}:"]),
)
@example("DIGEST", "=" * 60, "md5={}")
def test_any_upload(header: str, value: str, form: str) -> None:
    """Whatever is sent with an upload is understood, ignored or refused, and never fails."""
    with suppress(HttpError):
        told = UploadHeaders.of({f"HTTP_{header}": form.replace("{}", value)})
        received = told.start()
        received.update(b"content")
        told.check(received)
        assert not told.announced


def test_refused_with_400() -> None:
    """What cannot be understood and what is not met are errors of the client."""
    with pytest.raises(HttpError) as malformed:
        UploadHeaders.of({"HTTP_OC_CHECKSUM": "MD5:xyz"})
    told = UploadHeaders.of({"HTTP_OC_CHECKSUM": f"MD5:{'0' * 32}"})
    with pytest.raises(HttpError) as damaged:
        told.check(told.start())
    assert malformed.value.value == damaged.value.value == HTTPStatus.BAD_REQUEST


def test_all_names() -> None:
    """Each algorithm of HTTP has a name in ownCloud's form too, and all but one the other way."""
    assert {*DIGEST_NAMES.values(), Algorithm.ADLER32} == {*Algorithm}
