"""Holds each example of an OpenAPI document against the schema that it is an example of."""

import json
import sys

import jsonschema_rs

with open(sys.argv[1], encoding="utf-8") as file:
    document = json.load(file)
assert document["openapi"].startswith("3.1"), document["openapi"]
count = 0
for name, schema in document["components"]["schemas"].items():
    for example in schema.get("examples", []):
        reference = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
        jsonschema_rs.Draft202012Validator(reference, validate_formats=True).validate(example)
        count += 1
assert count > 30, count
print(f"{count} examples: fine")
