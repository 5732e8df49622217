"""GGUF files with some of their metadata or tensors changed."""

from __future__ import annotations

import gguf
import numpy as np


def changed(path, folder, change=(), drop=(), tensors=()):
    """A copy of a converted file with metadata changed or left out, and tensors added."""
    reader = gguf.GGUFReader(path)
    keys = {key: field for key, field in reader.fields.items() if not key.startswith(("GGUF.", "general.architecture"))}
    change = dict(change)
    writer = gguf.GGUFWriter(folder / "changed.gguf", change.pop("general.architecture", reader_arch(reader)))
    kinds = {bool: writer.add_bool, str: writer.add_string, float: writer.add_float32, list: writer.add_array}
    for key, value in {**{key: field.contents() for key, field in keys.items() if key not in drop}, **change}.items():
        kinds.get(type(value), writer.add_uint64)(key, value)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, np.array(tensor.data), raw_dtype=tensor.tensor_type)
    for name, array in dict(tensors).items():
        writer.add_tensor(name, np.asarray(array, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return folder / "changed.gguf"


def reader_arch(reader):
    return reader.fields["general.architecture"].contents()
