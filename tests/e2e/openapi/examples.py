"""Holds each example of an OpenAPI document against the schema that it is an example of."""

import json
import sys

import jsonschema_rs

with open(sys.argv[1], encoding="utf-8") as file:
    document = json.load(file)
assert document["openapi"].startswith("3.1"), document["openapi"]


def validate(example, schema):
    schema = {**schema, "components": document["components"]}
    jsonschema_rs.Draft202012Validator(schema, validate_formats=True).validate(example)


count = 0
for name, schema in document["components"]["schemas"].items():
    for example in schema.get("examples", []):
        validate(example, {"$ref": f"#/components/schemas/{name}"})
        count += 1
assert count > 30, count
answers = 0
for operations in document["paths"].values():
    for operation in operations.values():
        for response in operation["responses"].values():
            for content in response.get("content", {}).values():
                for example in content.get("examples", {}).values():
                    validate(example["value"], content["schema"])
                    answers += 1
assert answers > 20, answers
print(f"{count} examples and {answers} of answers: fine")
