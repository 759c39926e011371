"""The public surface of a crate, a line for each item, from rustdoc's JSON: surface.py CRATE.json

A line is a path and what belongs to it: types, generics, traits. What a user does not see (spans, texts,
private fields, names of arguments, blanket implementations) is left out.
"""

import json
import sys

crate = json.load(open(sys.argv[1]))
index = crate["index"]
lines = set()

# Without meaning for a user, or a separate item.
HIDDEN = {"id", "span", "docs", "links", "deprecation", "impls", "items", "variants", "fields", "has_body", "value", "expr"}


def plain(value):
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items() if key not in HIDDEN}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return value


def add(path, what):
    lines.add(path + " " + json.dumps(plain(what), sort_keys=True))


def item(identity):
    return index.get(str(identity))


def all_of(path, identities):
    for identity in identities:
        child = item(identity)
        if child and child["visibility"] in ("public", "default"):
            walk(path + "::" + child["name"] if child["name"] else path, child)


def walk(path, found):
    (kind, inner), = found["inner"].items()
    if kind == "module":
        all_of(path, inner["items"])
    elif kind == "use":
        target = item(inner["id"]) if inner["id"] is not None else None
        as_path = path if inner["is_glob"] else path + "::" + inner["name"]
        if target is None or target["crate_id"] != 0:
            add(as_path, {"use": inner["source"]})
        elif inner["is_glob"]:
            all_of(as_path, target["inner"]["module"]["items"])
        else:
            walk(as_path, target)
    elif kind == "macro":
        add(path, kind)
    elif kind == "impl":
        if inner["blanket_impl"] is None and inner["trait"] is None:
            all_of(path, inner["items"])
        elif inner["blanket_impl"] is None:
            negative = "!" if inner["is_negative"] else ""
            add(path, {"impl": negative + inner["trait"]["path"], "of": inner["trait"]["args"], "for": inner["for"]})
    else:
        if kind == "function":
            types = [argument[-1] for argument in inner["sig"]["inputs"]]
            inner = {**inner, "sig": {**inner["sig"], "inputs": types}}
        marks = [str(mark) for mark in found["attrs"] if "non_exhaustive" in str(mark) or "repr" in str(mark)]
        add(path, {kind: inner, "marks": marks} if marks else {kind: inner})
        if kind == "struct":
            shape = inner["kind"]
            if isinstance(shape, dict):
                (form, members), = shape.items()
                fields = members["fields"] if form == "plain" else members
                all_of(path, [field for field in fields if field is not None])
        elif kind == "enum":
            all_of(path, inner["variants"])
        elif kind == "trait":
            all_of(path, inner["items"])
        all_of(path, inner.get("impls", []) if isinstance(inner, dict) else [])


root = item(crate["root"])
walk(root["name"], root)
print("\n".join(sorted(lines)))
