"""docs/openapi.json held against answers: what does not go with it, and what
of it has been seen."""

import json
import os
import re

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool,
         "null": type(None)}


def is_of(value, name):
    if name == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, TYPES[name])


class Document:
    def __init__(self):
        with open(f"{ROOT}/docs/openapi.json", encoding="utf-8") as f:
            self.text = json.load(f)
        self.seen = set()           # (path, method, status)
        self.fields = set()         # (path, method, status, place)

    def resolve(self, node):
        while "$ref" in node:
            found = self.text
            for word in node["$ref"].lstrip("#/").split("/"):
                found = found[word]
            node = found
        return node

    def one_of(self, schema, value=None):
        """Of a choice with null the other one, unless it is null."""
        schema = self.resolve(schema)
        if "oneOf" not in schema:
            return schema
        other, null = schema["oneOf"]
        assert null == {"type": "null"}
        return null if value is None else self.resolve(other)

    def operations(self):
        """{(path, METHOD): operation}"""
        return {(path, method.upper()): operation
                for path, methods in self.text["paths"].items()
                for method, operation in methods.items()
                if method != "parameters"}

    def arguments(self, operation):
        return sorted(p["name"] for p in map(
            self.resolve, operation.get("parameters", ()))
            if p["in"] == "query")

    def schema(self, operation, status):
        answer = self.resolve(operation["responses"][str(status)])
        return answer["content"]["application/json"]["schema"]

    def check(self, path, method, status, value):
        """Takes note of an answer; [what is wrong with it]."""
        operation = self.operations()[path, method]
        if str(status) not in operation["responses"]:
            return [f"{status} is not documented"]
        self.seen.add((path, method, str(status)))
        wrong = []
        self.compare(self.schema(operation, status), value, "",
                     (path, method, str(status)), wrong)
        return wrong

    def compare(self, schema, value, place, where, wrong):
        schema = self.one_of(schema, value)
        names = schema.get("type", [])
        names = [names] if isinstance(names, str) else names
        if names and not any(is_of(value, n) for n in names):
            wrong.append(f"{place}: {value!r} is none of {names}")
        elif "enum" in schema and value not in schema["enum"]:
            wrong.append(f"{place}: {value!r} is not in {schema['enum']}")
        elif isinstance(value, dict):
            self.compare_object(schema, value, place, where, wrong)
        elif isinstance(value, list) and "items" in schema:
            for one in value:
                self.compare(schema["items"], one, f"{place}[]", where, wrong)

    def compare_object(self, schema, value, place, where, wrong):
        known = schema.get("properties", {})
        other = schema.get("additionalProperties", True)
        for name in schema.get("required", ()):
            if name not in value:
                wrong.append(f"{place}.{name} is missing")
        for name, one in value.items():
            if name in known:
                self.fields.add((*where, f"{place}.{name}"))
                self.compare(known[name], one, f"{place}.{name}", where,
                             wrong)
            elif other is False:
                wrong.append(f"{place}.{name} is not documented")
            elif isinstance(other, dict):
                self.compare(other, one, f"{place}.*", where, wrong)

    def documented(self):
        return {(path, method, status)
                for (path, method), operation in self.operations().items()
                for status in operation["responses"]}

    def documented_fields(self):
        found = set()
        for path, method, status in self.documented():
            operation = self.operations()[path, method]
            self.walk(self.schema(operation, status), "",
                      (path, method, status), found)
        return found

    def walk(self, schema, place, where, found):
        schema = self.one_of(schema, schema)
        for name, one in schema.get("properties", {}).items():
            found.add((*where, f"{place}.{name}"))
            self.walk(one, f"{place}.{name}", where, found)
        if "items" in schema:
            self.walk(schema["items"], f"{place}[]", where, found)


def of_route(path):
    """The router's path as the document has it, without names."""
    return re.sub(r"\{[^}]*\}", "*", path)
