#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""validate.py SCHEMA DOCUMENT"""

import json
import sys

import jsonschema


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


schema = load(sys.argv[1])
jsonschema.Draft7Validator.check_schema(schema)
try:
    jsonschema.validate(load(sys.argv[2]), schema)
except jsonschema.ValidationError as why:
    sys.exit(f"{sys.argv[2]}: {'/'.join(map(str, why.path))}: {why.message}")
