# SPDX-License-Identifier: Apache-2.0
"""What a failed call to S3 means: what came of a create, and what to tell people to do."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    PartialCredentialsError,
    ProxyConnectionError,
    SSLError,
    TokenRetrievalError,
)
from botocore.exceptions import ConnectionError as NotConnected
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError

from tabard_registry.store.store import TRY_AGAIN, Outcome

FAILURES = (BotoCoreError, ClientError, ResponseParserError, HTTPError)
"""Everything that a call to boto3, or reading the body of its answer, may raise."""


class RangesIgnored(BotoCoreError):  # type: ignore[misc]
    """The store, or a cache before it, answers with the whole object when a range is asked."""

    fmt = "the store ignores the range of a request"


class BodyTooSlow(BotoCoreError):  # type: ignore[misc]
    """The bytes of an answer come more slowly than is waited for."""

    fmt = "only {bytes} bytes came in {seconds:.1f} s"


_PASSING = (
    NotConnected,
    HTTPClientError,
    HTTPError,
    IncompleteReadError,
    ResponseParserError,
    RangesIgnored,
    BodyTooSlow,
)
_MISSING = frozenset({"NoSuchKey", "404", "NotFound"})
_CREDENTIALS = (
    NoCredentialsError,
    PartialCredentialsError,
    CredentialRetrievalError,
    TokenRetrievalError,
)
_NEVER_SENT = (EndpointConnectionError, ConnectTimeoutError, ProxyConnectionError, *_CREDENTIALS)

_GRANT = (
    "Grant s3:GetObject, s3:PutObject and s3:DeleteObject below the prefix and s3:ListBucket on "
    "the bucket; without s3:ListBucket a missing object is forbidden instead of missing."
)
_CLOCK = "Set the clock of this machine: S3 refuses requests 15 minutes off."
_CLOCK_SECONDS_MAX = 600.0
_REGION = "The bucket is in another region: set AWS_REGION, or the region of the profile."
_SIGN_IN = "The session has ended: sign in again, or renew the credentials."
_NO_CONDITIONS = (
    "This store cannot create an object conditionally. Use another one, or the single-writer mode "
    "with one server only: `--single-writer`, TABARD_SINGLE_WRITER=true."
)
_HINTS = {
    "403": _GRANT,
    "AccessDenied": _GRANT,
    "AllAccessDisabled": _GRANT,
    "AuthorizationHeaderMalformed": _REGION,
    "ExpiredToken": _SIGN_IN,
    "IllegalLocationConstraintException": _REGION,
    "InvalidAccessKeyId": "The store does not know this access key: check AWS_ACCESS_KEY_ID or the "
    "profile, and that AWS_ENDPOINT_URL_S3 names the right store.",
    "InvalidArgument": _NO_CONDITIONS,
    "InvalidPart": "Another writer worked at the same upload: try again.",
    "InvalidToken": _SIGN_IN,
    "MethodNotAllowed": _NO_CONDITIONS,
    "NoSuchBucket": "Create the bucket, or correct the address: Tabard makes no buckets.",
    "NoSuchUpload": "Another writer worked at the same upload: try again.",
    "NotImplemented": _NO_CONDITIONS,
    "PermanentRedirect": _REGION,
    "QuotaExceeded": "The quota of this user or bucket is used up: raise it, or collect garbage.",
    "RequestTimeTooSkewed": _CLOCK,
    "SignatureDoesNotMatch": "The secret key is not the one of this access key: check "
    "AWS_SECRET_ACCESS_KEY or the profile.",
}


def is_missing(error: Exception) -> bool:
    """Whether the store said that there is no such object."""
    return isinstance(error, ClientError) and _code(error) in _MISSING


def is_code(error: Exception, *codes: str) -> bool:
    """Whether the store answered with one of these codes."""
    return isinstance(error, ClientError) and _code(error) in codes


def is_transient(error: BaseException) -> bool:
    """Whether the same request may succeed a moment later: the one table of what passes.

    Answers that leave open what came of a create, connections that were not made or broke off, and
    answers that came in part, too slowly, or garbled.
    """
    if isinstance(error, ClientError):
        return _is_passing_answer(_code(error), status=_status(error))
    return isinstance(error, _PASSING) and not _is_certificate(error)


def outcome_of_create(error: Exception) -> Outcome | None:
    """Tell what came of a create that was sent once; None when nothing was or will be written."""
    if isinstance(error, ClientError):
        return _outcome_of_answer(_code(error), status=_status(error))
    if isinstance(error, _NEVER_SENT) or _is_certificate(error):
        return None
    return Outcome.UNKNOWN


def _outcome_of_answer(code: str, *, status: int) -> Outcome | None:
    if code == "PreconditionFailed" or status == 412:
        return Outcome.OCCUPIED
    return Outcome.UNKNOWN if _is_passing_answer(code, status=status) else None


def _is_passing_answer(code: str, *, status: int) -> bool:
    # 409 says only that somebody else was writing; 408 and 429 may come from a proxy that has
    # passed the request on. RequestTimeout is S3's 400 for a body that came too slowly. An error
    # below 300 stands in the body of a success.
    if code == "NotImplemented":
        return False
    return status in (408, 409, 429) or not 300 <= status < 500 or code == "RequestTimeout"


def _is_certificate(error: BaseException) -> bool:
    return "CERTIFICATE_VERIFY_FAILED" in str(error)


def explain(error: Exception) -> tuple[str, str]:
    """Tell what happened, and what to do."""
    if isinstance(error, ClientError):
        return _explain_answer(error)
    if isinstance(error, _CREDENTIALS):
        return "there are no credentials for the store, or not all of them", (
            "Give credentials where boto3 looks for them: AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or the role of this machine."
        )
    if isinstance(error, EndpointConnectionError | ConnectTimeoutError | ProxyConnectionError):
        where = getattr(error, "kwargs", {}).get("endpoint_url") or "the address of the store"
        return f"nobody answers at {where}", (
            "Check AWS_ENDPOINT_URL_S3, the network, and that the store is running."
        )
    if isinstance(error, SSLError):
        return "the certificate of the store is not trusted", (
            "Check the certificate of the store; AWS_CA_BUNDLE names the authority."
        )
    return f"the connection to the store broke off ({type(error).__name__})", TRY_AGAIN


def _explain_answer(error: ClientError) -> tuple[str, str]:
    code, status = _code(error), _status(error)
    message = error.response.get("Error", {}).get("Message") or ""
    told = f"the store answered {status} {code}" + (f": {message}" if message else "")
    usual = "The store is out of order or overloaded: try again." if status >= 500 else ""
    if code == "403" and _is_clock_off(error):
        # An answer to HEAD has no body, and so no code of its own.
        return told, _CLOCK
    if status in (408, 409, 429):
        usual = "The store asks to try again later."
    return told, _HINTS.get(code, usual or (_GRANT if status == 403 else f"See {code} at S3."))


def _is_clock_off(error: ClientError) -> bool:
    """Say whether the store's clock and this machine's differ, as far as the answer has a date."""
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    with contextlib.suppress(ValueError, TypeError):
        told = parsedate_to_datetime(str(headers.get("date", "")))
        return abs((datetime.now(UTC) - told).total_seconds()) > _CLOCK_SECONDS_MAX
    return False


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
