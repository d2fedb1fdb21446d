"""The messages of Terraform's plugin protocol 5, as far as the stand-in needs them.

The numbers of the fields are those of the protocol. A field that is not here is passed over.
"""

import types

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE = "tfplugin5"
FIELD = descriptor_pb2.FieldDescriptorProto

MESSAGES = {
    "Empty": "",
    "DynamicValue": "1 bytes msgpack, 2 bytes json",
    "Diagnostic": "1 int64 severity, 2 string summary, 3 string detail",
    "Attribute": "1 string name, 2 bytes type, 3 string description, 4 bool required, 5 bool optional, 6 bool computed",
    "Block": "1 int64 version, 2 repeated Attribute attributes, 3 repeated NestedBlock block_types",
    "NestedBlock": "1 string type_name, 2 Block block, 3 int64 nesting, 4 int64 min_items, 5 int64 max_items",
    "Schema": "1 int64 version, 2 Block block",
    "GetSchemaResponse": "1 Schema provider, 2 map Schema resource_schemas, 3 map Schema data_source_schemas",
    "PrepareRequest": "1 DynamicValue config",
    "PrepareResponse": "1 DynamicValue prepared_config, 2 repeated Diagnostic diagnostics",
    "Diagnostics": "1 repeated Diagnostic diagnostics",
    "RawState": "1 bytes json",
    "UpgradeRequest": "1 string type_name, 2 int64 version, 3 RawState raw_state",
    "UpgradeResponse": "1 DynamicValue upgraded_state",
    "ReadRequest": "1 string type_name, 2 DynamicValue current_state",
    "ReadResponse": "1 DynamicValue new_state",
    "PlanRequest": "1 string type_name, 2 DynamicValue prior_state, 3 DynamicValue proposed_new_state",
    "PlanResponse": "1 DynamicValue planned_state",
    "ApplyRequest": "1 string type_name, 2 DynamicValue prior_state, 3 DynamicValue planned_state",
    "ApplyResponse": "1 DynamicValue new_state",
    "DataRequest": "1 string type_name, 2 DynamicValue config",
    "DataResponse": "1 DynamicValue state",
}
# How blocks of one kind are nested, of the protocol's enumeration.
LIST = 2


def field_of(message, words):
    """Adds a field to a message."""
    number, *kind, name = words.split()
    field = message.field.add(name=name, number=int(number), label=FIELD.LABEL_OPTIONAL)
    if kind[0] in ("repeated", "map"):
        field.label = FIELD.LABEL_REPEATED
    if kind[0] == "map":
        entry = message.nested_type.add(name="".join(part.title() for part in name.split("_")) + "Entry")
        entry.options.map_entry = True
        field_of(entry, "1 string key")
        field_of(entry, f"2 {kind[1]} value")
        field.type, field.type_name = FIELD.TYPE_MESSAGE, f".{PACKAGE}.{message.name}.{entry.name}"
    elif kind[-1] in MESSAGES:
        field.type, field.type_name = FIELD.TYPE_MESSAGE, f".{PACKAGE}.{kind[-1]}"
    else:
        field.type = getattr(FIELD, f"TYPE_{kind[-1].upper()}")


def messages():
    """The classes of the messages, by their names."""
    file = descriptor_pb2.FileDescriptorProto(name="plugin.proto", package=PACKAGE, syntax="proto3")
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for words in filter(None, fields.split(", ")):
            field_of(message, words)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}")) for name in MESSAGES}
    return types.SimpleNamespace(**found)
