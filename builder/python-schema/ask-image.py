"""Says, as one line of JSON on standard output, what a model takes and gives, by importing it: setup() is not called.

Run inside the built image as `python -c SOURCE predict.py:Predictor [train.py:train]`; `-` stands for none. Needs
nothing but the standard library and the image's own cog, of any version, and Python 3.7.
"""

import collections.abc
import dataclasses
import enum
import importlib
import importlib.util
import inspect
import json
import math
import os
import pathlib
import sys
import typing

answer_stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
# What the model prints while it is imported must not be taken for the answer.
os.dup2(2, 1)
sys.path.insert(0, os.getcwd())

import cog  # noqa: E402

inputs = {}
streaming = set()


def remember_input(original):
    def Input(*args, **options):
        result = original(*args, **options)
        named = dict(options)
        if args:
            named["default"] = args[0]
        # The result is kept, so that no other object gets its id.
        inputs[id(result)] = (result, named)
        return result

    return Input


def remember_streaming(original):
    def decorate(function):
        streaming.add(function)
        return function

    return lambda function=None: decorate if function is None else decorate(original(function))


cog.Input = remember_input(cog.Input)
if hasattr(cog, "streaming"):
    cog.streaming = remember_streaming(cog.streaming)


def load(reference):
    path, name = reference.rsplit(":", 1)
    parts = pathlib.PurePosixPath(path).with_suffix("").parts
    if all(part.isidentifier() for part in parts):
        return getattr(importlib.import_module(".".join(parts)), name)
    spec = importlib.util.spec_from_file_location(pathlib.Path(path).stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    sys.path.insert(0, str(pathlib.Path(path).resolve().parent))
    spec.loader.exec_module(module)
    return getattr(module, name)


def method_of(target, names):
    """The function, and whether its first parameter is the instance."""
    if not inspect.isclass(target):
        return target, inspect.ismethod(target)
    for name in names:
        for owner in target.__mro__:
            if owner is object or owner.__module__.split(".")[0] == "cog":
                continue
            if name in vars(owner):
                found = vars(owner)[name]
                is_static = isinstance(found, staticmethod)
                return getattr(found, "__func__", found), not is_static
    raise LookupError("%s defines no %s()" % (target.__name__, " or ".join(names)))


def hints_of(thing):
    try:
        return typing.get_type_hints(thing, include_extras=True)
    except TypeError:
        return typing.get_type_hints(thing)
    except Exception:
        return dict(getattr(thing, "__annotations__", {}))


def describe(reference, names):
    target = load(reference)
    function, is_method = method_of(target, names)
    unwrapped = inspect.unwrap(function)
    hints = hints_of(unwrapped)
    parameters = list(inspect.signature(unwrapped).parameters.values())
    own = parameters[1:] if is_method else parameters
    named = [p for p in own if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    return {
        "inputs": [describe_input(p, hints.get(p.name)) for p in named],
        "output": type_of(hints["return"]) if "return" in hints else None,
        "isStreaming": function in streaming or unwrapped in streaming,
    }


def describe_input(parameter, hint):
    given = parameter.default
    options = {}
    if given is not parameter.empty:
        _, options = inputs.get(id(given), (None, {"default": given}))
    field = {"name": parameter.name, "type": guess(options) if hint is None else type_of(hint)}
    default = options.get("default", Ellipsis)
    if default is Ellipsis:
        field["default"] = {"kind": "none"}
    else:
        try:
            field["default"] = {"kind": "value", "value": json_of(default)}
        except TypeError:
            field["default"] = {"kind": "computed"}
    for name, key in option_names.items():
        if options.get(name) is not None:
            field[key] = json_of(options[name])
    return field


option_names = {
    "description": "description",
    "ge": "minimum",
    "le": "maximum",
    "min_length": "minLength",
    "max_length": "maxLength",
    "regex": "pattern",
    "choices": "choices",
    "deprecated": "isDeprecated",
    "accept": "accept",
}


def guess(options):
    value = options.get("default")
    if value is None or value is Ellipsis:
        value = (list(options.get("choices") or []) or [None])[0]
    kinds = {bool: "bool", str: "str", int: "int", float: "float"}
    return {"kind": kinds.get(type(value), "any")}


def json_of(value):
    if isinstance(value, enum.Enum):
        return json_of(value.value)
    if value is None or isinstance(value, (bool, str, int)):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise TypeError("JSON has no word for it")
        return value
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, collections.abc.Mapping):
        return {str(json_of(key)): json_of(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset, collections.abc.KeysView, collections.abc.ValuesView, range)):
        return [json_of(item) for item in value]
    raise TypeError("JSON has no word for it")


def cog_types(*names):
    return tuple(getattr(cog, name) for name in names if inspect.isclass(getattr(cog, name, None)))


concatenating = cog_types("ConcatenateIterator", "AsyncConcatenateIterator")
iterators = (
    collections.abc.Iterator,
    collections.abc.AsyncIterator,
    collections.abc.Generator,
    collections.abc.AsyncGenerator,
    collections.abc.AsyncIterable,
)
lists = (collections.abc.Sequence, collections.abc.MutableSequence, collections.abc.Iterable, collections.abc.Collection)


def type_of(hint, reading=()):
    if hint is None or hint is type(None):
        return {"kind": "none"}
    if hint is typing.Any or hint is object:
        return {"kind": "any"}
    origin, args = getattr(hint, "__origin__", None), getattr(hint, "__args__", None) or ()
    if hasattr(hint, "__metadata__"):
        return annotated(hint, reading)
    if hasattr(hint, "__supertype__"):
        return type_of(hint.__supertype__, reading)
    if hasattr(hint, "__value__"):
        return type_of(hint.__value__, reading)
    if origin is typing.Union or type(hint).__name__ == "UnionType":
        return union([type_of(item, reading) for item in args])
    if str(hint).startswith(("typing.Literal", "typing_extensions.Literal")):
        values = [json_of(item) for item in args if item is not None]
        choice = {"kind": "choice", "values": values, "isEnum": False}
        return union([choice, {"kind": "none"}]) if len(values) < len(args) else choice
    return named_type(hint if origin is None else origin, args, reading)


def union(types):
    flat = [inner for item in types for inner in (item["variants"] if item["kind"] == "union" else [item])]
    return flat[0] if len(flat) == 1 else {"kind": "union", "variants": flat}


def annotated(hint, reading):
    inner = type_of(hint.__origin__, reading)
    opaque = getattr(cog, "Opaque", None)
    if opaque is None or not any(item is opaque or type(item) is opaque for item in hint.__metadata__):
        return inner
    variants = inner.get("variants", [inner])
    any_type = {"kind": "any"}
    result = {"kind": "list", "item": any_type} if any(v["kind"] == "list" for v in variants) else any_type
    has_none = any(v["kind"] == "none" for v in variants)
    return union([result, {"kind": "none"}]) if has_none else result


def named_type(kind, args, reading):
    if not inspect.isclass(kind):
        return unknown(kind)
    args = [item for item in args if not isinstance(item, typing.TypeVar)]
    first = type_of(args[0], reading) if args else {"kind": "any"}
    if kind in concatenating:
        item = first if args else {"kind": "str"}
        return {"kind": "iterator", "item": item, "isConcatenated": True}
    if kind in iterators:
        return {"kind": "iterator", "item": first, "isConcatenated": False}
    if issubclass(kind, enum.Enum):
        return {"kind": "choice", "values": [json_of(item) for item in kind], "isEnum": True}
    simple = simple_type(kind)
    if simple is not None:
        return simple
    fields = fields_of(kind)
    if fields is not None:
        return object_type(kind, fields, reading)
    if kind in (tuple, set, frozenset):
        return {"kind": "list", "item": uniform(args, reading)}
    if kind is list or kind in lists:
        return {"kind": "list", "item": first}
    if issubclass(kind, collections.abc.Mapping):
        value = {} if len(args) < 2 else {"value": type_of(args[1], reading)}
        return dict({"kind": "dict"}, **value)
    return unknown(kind)


def simple_type(kind):
    if kind in (bool, float, int, str):
        return {"kind": kind.__name__}
    for name, simple in (("Secret", "secret"), ("Path", "path"), ("File", "file")):
        owners = cog_types(name, "URL" + name)
        if owners and issubclass(kind, owners):
            return {"kind": simple}
    if issubclass(kind, pathlib.PurePath) or kind is os.PathLike:
        return {"kind": "path", "isPlain": True}
    return None


def uniform(args, reading):
    types = [type_of(item, reading) for item in args if item is not Ellipsis]
    return types[0] if types and all(item == types[0] for item in types) else {"kind": "any"}


def fields_of(kind):
    """Names of a record's fields and whether each must be there; None for any other class."""
    if hasattr(kind, "model_fields"):
        return {name: field.is_required() for name, field in kind.model_fields.items()}
    if hasattr(kind, "__fields__"):
        return {name: bool(field.required) for name, field in kind.__fields__.items()}
    if dataclasses.is_dataclass(kind):
        missing = dataclasses.MISSING
        fields = dataclasses.fields(kind)
        return {f.name: f.default is missing and f.default_factory is missing for f in fields}
    if hasattr(kind, "__required_keys__"):
        return {name: name in kind.__required_keys__ for name in hints_of(kind)}
    if issubclass(kind, tuple) and hasattr(kind, "_fields"):
        return {name: name not in getattr(kind, "_field_defaults", {}) for name in kind._fields}
    return None


def object_type(kind, fields, reading):
    if kind in reading:
        return {"kind": "any"}
    hints = hints_of(kind)
    is_typed_dict = hasattr(kind, "__required_keys__")
    found = []
    for name, is_required in fields.items():
        if name.startswith("_"):
            continue
        tpe = type_of(hints.get(name, typing.Any), reading + (kind,))
        is_nullable = any(v["kind"] == "none" for v in tpe.get("variants", [tpe]))
        required = is_required and (is_typed_dict or not is_nullable)
        found.append({"name": name, "type": tpe, "isRequired": required})
    return {"kind": "object", "name": kind.__name__, "fields": found, "isTypedDict": is_typed_dict}


def unknown(hint):
    name = getattr(hint, "__qualname__", None) or str(hint)
    message = "%s is not a type that Cog knows" % name
    hint = "return a cog.BaseModel, or mark JSON-shaped values with Annotated[…, cog.Opaque]"
    return {"kind": "unknown", "message": message, "hint": hint}


answers = {}
for mode, reference, names in (("predict", sys.argv[1], ("run", "predict")), ("train", sys.argv[2], ("train",))):
    if reference == "-":
        continue
    try:
        answers[mode] = describe(reference, names)
    except BaseException as error:
        answers[mode] = {"error": "%s: %s" % (type(error).__name__, error)}
answer_stream.write(json.dumps(answers, ensure_ascii=False) + "\n")
answer_stream.flush()
# Threads that the model has started must not hold the answer up.
os._exit(0)
