"""From bytes on the wire to an operation with its input, output or error, by the rules of AWS's
protocols: JSON 1.1, REST-JSON, and query with XML answers.

What cannot be read that way is a `Malformed`, with what is wrong about it.
"""

import dataclasses
import json
import re
import urllib.parse
import xml.etree.ElementTree

import model


class Malformed(Exception):
    """Bytes which are not of the protocol."""


@dataclasses.dataclass
class Call:
    """A request that has been understood."""

    service: str
    # None: the model has no such operation.
    operation: object
    name: str
    input: dict


@dataclasses.dataclass
class Failure:
    """An error answer: its code, its members, and who is to blame, where the protocol says so."""

    code: str
    members: dict
    blame: str | None = None


def protocol(service):
    """The protocol of a service by its model."""
    return model.service(service).metadata["protocol"]


def read_call(exchange):
    """What a request asks for."""
    service = signed_for(exchange)
    if service not in model.SERVICES:
        raise Malformed(f"signed for the service {service!r}")
    return {"json": json_call, "rest-json": rest_call, "query": query_call}[protocol(service)](service, exchange)


def signed_for(exchange):
    """The service in the scope of the signature."""
    found = re.match(
        r"AWS4-HMAC-SHA256 Credential=[^/,]+/\d{8}/[a-z0-9-]+/([a-z0-9-]+)/aws4_request, ?"
        r"SignedHeaders=[a-z0-9;-]+, ?Signature=[0-9a-f]{64}$",
        exchange.headers.get("authorization", ""),
    )
    if not found:
        raise Malformed("not signed as Signature Version 4 has it")
    return found[1]


def operation_of(service, name):
    """The model of an operation; None if there is none of this name."""
    known = model.service(service)
    return known.operation_model(name) if name in known.operation_names else None


def json_call(service, exchange):
    """JSON 1.1: the operation in a header, the input in the body."""
    metadata = model.service(service).metadata
    prefix, _, name = exchange.headers.get("x-amz-target", "").partition(".")
    expect("method", exchange.method, "POST")
    expect("path", exchange.path, "/")
    expect("prefix of X-Amz-Target", prefix, metadata["targetPrefix"])
    expect("Content-Type", exchange.headers.get("content-type"), f"application/x-amz-json-{metadata['jsonVersion']}")
    return Call(service, operation_of(service, name), name, json_object(exchange.body))


def rest_call(service, exchange):
    """REST-JSON: the operation in method and path, the input in path, query string and body."""
    path, _, query = exchange.path.partition("?")
    for name in model.service(service).operation_names:
        operation = model.service(service).operation_model(name)
        template = re.escape(operation.http["requestUri"].partition("?")[0])
        labels = re.sub(r"\\\{(\w+)(\\\+)?\\\}", r"(?P<\1>[^/]+)", template)
        found = re.fullmatch(labels, path)
        if operation.http["method"] == exchange.method and found:
            break
    else:
        return Call(service, None, f"{exchange.method} {path}", {})
    values = json_object(exchange.body) if exchange.body else {}
    texts = {("uri", key): urllib.parse.unquote(value) for key, value in found.groupdict().items()}
    texts |= {("querystring", key): value for key, value in urllib.parse.parse_qsl(query, keep_blank_values=True)}
    members = operation.input_shape.members if operation.input_shape else {}
    for member, shape in members.items():
        place = (shape.serialization.get("location"), shape.serialization.get("name", member))
        if place in texts:
            values[member] = scalar(shape, texts.pop(place))
        elif place[0] is not None and member in values:
            raise Malformed(f"{member} belongs in the {place[0]}, not in the body")
    if texts:
        raise Malformed(f"{sorted(texts)} are no members of {name}'s path or query string")
    return Call(service, operation, name, values)


def scalar(shape, text):
    """A member's value where the wire has text for everything."""
    if shape.type_name in ("integer", "long") and re.fullmatch(r"-?\d+", text):
        return int(text)
    if shape.type_name == "boolean" and text in ("true", "false"):
        return text == "true"
    return text


def query_call(service, exchange):
    """Query: a form, nested by dots."""
    metadata = model.service(service).metadata
    expect("method", exchange.method, "POST")
    expect("path", exchange.path, "/")
    kind = exchange.headers.get("content-type", "").partition(";")[0]
    expect("Content-Type", kind, "application/x-www-form-urlencoded")
    fields = dict(urllib.parse.parse_qsl(exchange.body.decode(), keep_blank_values=True, strict_parsing=True))
    expect("Version", fields.pop("Version", None), metadata["apiVersion"])
    name = fields.pop("Action", "")
    operation = operation_of(service, name)
    if operation is None or operation.input_shape is None:
        return Call(service, operation, name, fields)
    value = form_value(operation.input_shape, "", fields)
    if fields:
        raise Malformed(f"{sorted(fields)} are no members of {name}")
    return Call(service, operation, name, value or {})


def form_value(shape, prefix, fields):
    """Takes a shape's value out of a form's fields; None if there is nothing of it."""
    if shape.type_name == "structure":
        found = {}
        for member, inner in shape.members.items():
            name = inner.serialization.get("name", member)
            value = form_value(inner, f"{prefix}.{name}" if prefix else name, fields)
            if value is not None:
                found[member] = value
        return found or None
    if shape.type_name == "list":
        if fields.get(prefix) == "":
            fields.pop(prefix)
            return []
        found, flat = [], shape.serialization.get("flattened")
        inner_name = "" if flat else "." + shape.member.serialization.get("name", "member")
        while (value := form_value(shape.member, f"{prefix}{inner_name}.{len(found) + 1}", fields)) is not None:
            found.append(value)
        return found or None
    return fields.pop(prefix, None)


def read_output(call, exchange):
    """The output of an answer of status 2xx, as a structure of the operation's output shape."""
    shape = call.operation.output_shape
    kind = exchange.answer_headers.get("content-type")
    if protocol(call.service) == "query":
        expect("Content-Type", kind, "text/xml")
        return xml_output(call, exchange.answer)
    wanted = "application/x-amz-json-1.1" if protocol(call.service) == "json" else "application/json"
    expect("Content-Type", kind, wanted)
    if shape is None:
        expect("body", exchange.answer, b"")
        return {}
    return json_object(exchange.answer)


def read_failure(call, exchange):
    """The error of an answer of any other status."""
    if protocol(call.service) == "query":
        return xml_failure(exchange.answer, call.service)
    body = json_object(exchange.answer)
    kind = body.pop("__type", None)
    header = exchange.answer_headers.get("x-amzn-errortype")
    if protocol(call.service) == "rest-json" and header is None:
        raise Malformed("no header x-amzn-ErrorType")
    code = header or kind
    if not isinstance(code, str):
        raise Malformed("nothing says which error it is")
    return Failure(code.partition(":")[0].rpartition("#")[2], body)


def json_object(body):
    """A body that is one JSON object, in UTF-8, with no key twice."""

    def unique(pairs):
        if len({key for key, _ in pairs}) != len(pairs):
            raise Malformed("a key stands twice in one object")
        return dict(pairs)

    try:
        value = json.loads(body.decode("utf-8"), object_pairs_hook=unique, parse_constant=no_constant)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise Malformed(f"not JSON: {error}") from error
    if not isinstance(value, dict):
        raise Malformed("not a JSON object")
    return value


def no_constant(text):
    """Python's JSON takes NaN and Infinity; JSON has none."""
    raise Malformed(f"{text} is not JSON")


def xml_tree(body, namespace):
    """An XML document whose every element is of one namespace, without the namespace."""
    try:
        root = xml.etree.ElementTree.fromstring(body)
    except xml.etree.ElementTree.ParseError as error:
        raise Malformed(f"not XML: {error}") from error
    for element in root.iter():
        uri, _, name = element.tag.rpartition("}")
        expect(f"namespace of <{name}>", uri.lstrip("{"), namespace)
        element.tag = name
        if element.attrib:
            raise Malformed(f"<{name}> has attributes")
    return root


def xml_output(call, body):
    """`<XResponse><XResult>…</XResult><ResponseMetadata><RequestId>…`."""
    root = xml_tree(body, model.service(call.service).metadata["xmlNamespace"])
    expect("root element", root.tag, f"{call.name}Response")
    shape = call.operation.output_shape
    parts = [element.tag for element in root]
    wrapper = shape.serialization.get("resultWrapper") if shape else None
    expect("elements of the answer", parts, [wrapper, "ResponseMetadata"] if wrapper else ["ResponseMetadata"])
    request_id(root.find("ResponseMetadata"))
    return xml_value(shape, root[0]) if wrapper else {}


def xml_value(shape, element):
    """An element as its shape's value; scalars stay text."""
    if shape.type_name == "structure":
        names = {inner.serialization.get("name", member): member for member, inner in shape.members.items()}
        found = {}
        for child in element:
            member = names.get(child.tag, child.tag)
            if member in found:
                raise Malformed(f"<{child.tag}> stands twice in <{element.tag}>")
            found[member] = xml_value(shape.members[member], child) if member in shape.members else child.text
        return found
    if shape.type_name == "list":
        name = shape.member.serialization.get("name", "member")
        for child in element:
            expect(f"elements of <{element.tag}>", child.tag, name)
        return [xml_value(shape.member, child) for child in element]
    return element.text or ""


def xml_failure(body, service):
    """`<ErrorResponse><Error><Type/><Code/><Message/></Error><RequestId/></ErrorResponse>`."""
    root = xml_tree(body, model.service(service).metadata["xmlNamespace"])
    expect("root element", root.tag, "ErrorResponse")
    expect("elements of the error answer", [element.tag for element in root], ["Error", "RequestId"])
    fields = {element.tag: element.text or "" for element in root.find("Error")}
    request_id(root)
    kind, code = fields.pop("Type", None), fields.pop("Code", None)
    if not code:
        raise Malformed("an error without a code")
    members = {name[0].lower() + name[1:]: text for name, text in fields.items()}
    return Failure(code, members, kind)


def request_id(parent):
    """The id that every XML answer bears."""
    text = parent.findtext("RequestId") or ""
    if not re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", text):
        raise Malformed(f"RequestId {text!r} is not a UUID")


def expect(what, found, wanted):
    """Raises unless they are equal."""
    if found != wanted:
        raise Malformed(f"{what}: {found!r}, not {wanted!r}")
