"""Sends a JSON request without a client's help, for inputs which no client would serialise."""

import http.client
import json
import urllib.parse

import model

AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=any/20260301/{region}/{service}/aws4_request, "
    "SignedHeaders=host;x-amz-date, Signature=" + "0" * 64
)


def send(endpoint, service, operation, value, region="us-east-1"):
    """Sends `value` as the input of an operation whose members all stand in the body. Gives the
    status and the code of the error."""
    metadata = model.service(service).metadata
    route = model.service(service).operation_model(operation).http
    headers = {"Authorization": AUTHORIZATION.format(region=region, service=service)}
    if metadata["protocol"] == "json":
        headers["X-Amz-Target"] = f"{metadata['targetPrefix']}.{operation}"
        headers["Content-Type"] = f"application/x-amz-json-{metadata['jsonVersion']}"
    else:
        headers["Content-Type"] = "application/json"
    place = urllib.parse.urlsplit(endpoint)
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=60)
    try:
        connection.request(route["method"], route["requestUri"], json.dumps(value), headers)
        answer = connection.getresponse()
        body = json.loads(answer.read())
    finally:
        connection.close()
    code = answer.getheader("x-amzn-errortype") or body.get("__type", "")
    return answer.status, code.rpartition("#")[2]
