"""Turns the status of responses into the errors of `davfs.errors`."""

import json
from typing import Any

from davfs.orthanc.client import HttpResponse
from davfs.orthanc.codes import error_of


def check_status(response: HttpResponse) -> None:
    """Raise the error of a response that is no success; a body that is not read yet is read first.

    Raises:
        OrthancError: By `davfs.orthanc.codes`.
    """
    if response.is_success:
        return
    body = error_body(response)
    description = body.get("OrthancError")  # not "Details": they may name what is in the file
    reason = f"Orthanc answered {response.status}" + (f": {description}" if isinstance(description, str) else "")
    code = body.get("OrthancStatus")
    raise error_of(reason, code if isinstance(code, int) and code else response.status)


def error_body(response: HttpResponse) -> dict[str, Any]:
    """Return the JSON in the body of an error; empty if it is not Orthanc's."""
    try:
        body = json.loads(response.read())
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
