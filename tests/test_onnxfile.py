"""fer.onnxfile: our form of an ONNX file is what `onnx` itself writes, and every other file is refused unread."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from fer import onnxfile, onnxgraph
from fer.card import BLANK_SEAL, CARD_KEY, SEAL_KEY, WeightsError, write_sealed
from fer.see.classify import Classifier
from tests.fakes import tiny

SHIPPED = Path(__file__).parents[1] / "fer" / "weights" / "resnet9.onnx"


def model_of(content: bytes) -> onnx.ModelProto:
    return onnx.load_from_string(content)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("width", [1, 5, 40])
def test_onnx_reads_the_file_and_would_write_the_same_bytes(
    width: int, dtype: type[np.float16 | np.float32], rng: np.random.Generator
) -> None:
    tensors = {n: rng.normal(size=s).astype(np.float32) for n, s in onnxgraph.shapes(width).items()}
    content = onnxgraph.build(tensors, tiny.CARD, dtype)
    model = model_of(content)
    onnx.checker.check_model(model, full_check=True)
    metadata = onnx.ModelProto(metadata_props=model.metadata_props)
    model.ClearField("metadata_props")
    assert metadata.SerializeToString() + model.SerializeToString() == content
    stored = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    for name, tensor in tensors.items():
        kind = np.float32 if name.endswith("bias") else dtype
        assert np.array_equal(stored[name], tensor.astype(kind)), name


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_a_file_is_read_as_it_was_written(tmp_path: Path, dtype: type[np.float16 | np.float32]) -> None:
    path = tmp_path / "a.onnx"
    write_sealed(path, onnxgraph.build(tiny.TENSORS, tiny.CARD, dtype))
    found = onnxfile.read(path)
    assert found.card == tiny.CARD
    assert found.width == 1
    assert found.content == path.read_bytes()
    for name, tensor in tiny.TENSORS.items():
        kind = np.float32 if name.endswith("bias") else dtype
        assert np.array_equal(found.tensors[name], tensor.astype(kind).astype(np.float32)), name


def test_the_shipped_file_is_one() -> None:
    found = onnxfile.read(SHIPPED)
    assert found.width == found.card.config["width"]
    assert {name: tensor.shape for name, tensor in found.tensors.items()} == onnxgraph.shapes(found.width, found.groups)


def good() -> onnx.ModelProto:
    return model_of(onnxgraph.build(tiny.TENSORS, tiny.CARD, np.float32))


def sealed(path: Path, model: onnx.ModelProto) -> Path:
    """Seals whatever the model is, as anybody can."""
    entries = {entry.key: entry.value for entry in model.metadata_props}
    metadata = onnx.ModelProto()
    helper.set_model_props(metadata, {SEAL_KEY: BLANK_SEAL, **{k: v for k, v in entries.items() if k != SEAL_KEY}})
    model.ClearField("metadata_props")
    write_sealed(path, metadata.SerializeToString() + model.SerializeToString())
    return path


def test_what_the_tests_seal_would_be_taken_unchanged(tmp_path: Path) -> None:
    assert onnxfile.read(sealed(tmp_path / "a.onnx", good())).card == tiny.CARD


def of_a_loop(model: onnx.ModelProto) -> None:
    body = helper.make_graph([], "body", [], [])
    model.graph.node.insert(1, helper.make_node("Loop", ["shape", ""], ["endless"], body=body))


def of_a_loop_within(model: onnx.ModelProto) -> None:
    body = helper.make_graph([helper.make_node("Loop", [], ["x"])], "body", [], [])
    model.graph.node[0].attribute.append(helper.make_attribute("body", body))


def of_a_huge_constant(model: onnx.ModelProto) -> None:
    model.graph.initializer.append(numpy_helper.from_array(np.array([2**40]), "huge"))
    model.graph.node.append(helper.make_node("ConstantOfShape", ["huge"], ["ones"]))


def of_another_file(model: onnx.ModelProto) -> None:
    """The tensor's bytes are those of the server's secrets."""
    tensor = model.graph.initializer[3]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=".streamlit/secrets.toml")
    tensor.external_data.add(key="length", value="36")


def of_another_file_beside(model: onnx.ModelProto) -> None:
    """The tensor has bytes of its own, and the reference besides."""
    model.graph.initializer[3].external_data.add(key="location", value=".streamlit/secrets.toml")


def of_an_extra_node(model: onnx.ModelProto) -> None:
    model.graph.node.append(helper.make_node("Relu", ["features"], ["more"]))


def of_another_attribute(model: onnx.ModelProto) -> None:
    model.graph.node[5].attribute.append(helper.make_attribute("group", 1))


def of_another_order(model: onnx.ModelProto) -> None:
    model.graph.node.reverse()


def of_another_output(model: onnx.ModelProto) -> None:
    model.graph.output.append(helper.make_tensor_value_info("conv_4", TensorProto.FLOAT, None))


def of_another_input(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT


def of_another_opset(model: onnx.ModelProto) -> None:
    model.opset_import.add(domain="ai.onnx.contrib", version=1)


def of_a_function(model: onnx.ModelProto) -> None:
    model.functions.add(name="Relu", domain="")


def of_training(model: onnx.ModelProto) -> None:
    model.training_info.add().initialization.name = "x"


def of_sparse_tensors(model: onnx.ModelProto) -> None:
    model.graph.sparse_initializer.add().dims.append(2**40)


def of_huge_dims(model: onnx.ModelProto) -> None:
    model.graph.initializer[3].dims[:] = [2**62, 2**62, 2**62, 2**62]


def of_negative_dims(model: onnx.ModelProto) -> None:
    model.graph.initializer[3].dims[:] = [-1, 1, 3, 3]


def of_many_dims(model: onnx.ModelProto) -> None:
    model.graph.initializer[3].dims[:] = [1] * 100


def of_a_wrong_shape(model: onnx.ModelProto) -> None:
    model.graph.initializer[3].dims[:] = [1, 3, 1, 3]


def of_a_wrong_dtype(model: onnx.ModelProto) -> None:
    model.graph.initializer[3].CopyFrom(numpy_helper.from_array(np.zeros((1, 1, 3, 3)), "conv1.weight"))


def of_floats_as_a_list(model: onnx.ModelProto) -> None:
    tensor = model.graph.initializer[3]
    tensor.ClearField("raw_data")
    tensor.float_data[:] = [0.0] * 9


def of_no_kernel(model: onnx.ModelProto) -> None:
    del model.graph.initializer[3]


def of_a_missing_tensor(model: onnx.ModelProto) -> None:
    del model.graph.initializer[-1]


def of_an_extra_tensor(model: onnx.ModelProto) -> None:
    model.graph.initializer.append(numpy_helper.from_array(np.zeros(1, np.float32), "more"))


def of_a_tensor_twice(model: onnx.ModelProto) -> None:
    model.graph.initializer.append(model.graph.initializer[3])


def of_numbers_that_are_none(model: onnx.ModelProto) -> None:
    values = np.full((1, 1, 3, 3), np.nan, np.float32)
    model.graph.initializer[3].CopyFrom(numpy_helper.from_array(values, "conv1.weight"))


def of_numbers_too_large(model: onnx.ModelProto) -> None:
    """Finite each, but a face becomes infinite behind them."""
    for index, tensor in enumerate(model.graph.initializer):
        if tensor.name.endswith(".weight"):
            values = np.full(tuple(tensor.dims), 1e30, np.float32)
            model.graph.initializer[index].CopyFrom(numpy_helper.from_array(values, tensor.name))


def of_another_normalisation(model: onnx.ModelProto) -> None:
    model.graph.initializer[1].CopyFrom(numpy_helper.from_array(np.array([9], np.float32), "gain"))


def of_many_nodes(model: onnx.ModelProto) -> None:
    model.graph.node.extend([helper.make_node("Relu", ["features"], ["more"])] * 100_000)


def of_no_graph(model: onnx.ModelProto) -> None:
    model.ClearField("graph")


def of_a_card_of_wrong_types(model: onnx.ModelProto) -> None:
    entry = next(entry for entry in model.metadata_props if entry.key == CARD_KEY)
    entry.value = json.dumps({**json.loads(entry.value), "temperature": "warm"})


def of_a_card_of_another_size(model: onnx.ModelProto) -> None:
    entry = next(entry for entry in model.metadata_props if entry.key == CARD_KEY)
    entry.value = json.dumps({**json.loads(entry.value), "input_size_px": 47})


def of_no_card(model: onnx.ModelProto) -> None:
    model.ClearField("metadata_props")


HOSTILE = {
    of_a_loop: "a node 'Loop'",
    of_a_loop_within: "not ResNet9's",
    of_a_huge_constant: "a node 'ConstantOfShape'",
    of_another_file: "lies in another file",
    of_another_file_beside: "lies in another file",
    of_an_extra_node: "not ResNet9's",
    of_another_attribute: "not ResNet9's",
    of_another_order: "not ResNet9's",
    of_another_output: "not ResNet9's",
    of_another_input: "not ResNet9's",
    of_another_opset: "not ResNet9's",
    of_a_function: "not ResNet9's",
    of_training: "not ResNet9's",
    of_sparse_tensors: "not ResNet9's",
    of_huge_dims: "does not have 36 bytes",
    of_negative_dims: "does not have 36 bytes",
    of_many_dims: "not one block of numbers",
    of_a_wrong_shape: "expected the tensor 'conv1.weight' with shape",
    of_a_wrong_dtype: "type 11",
    of_floats_as_a_list: "not stored as raw bytes",
    of_no_kernel: "expected the tensor 'conv1.weight'",
    of_a_missing_tensor: "expected the tensor 'head.bias'",
    of_an_extra_tensor: "not ResNet9's",
    of_a_tensor_twice: "not ResNet9's",
    of_numbers_that_are_none: "finite numbers",
    of_numbers_too_large: "its numbers are too large",
    of_another_normalisation: "not ResNet9's",
    of_many_nodes: "more than 128 fields",
    of_no_graph: "expected one graph, found 0",
    of_a_card_of_wrong_types: "temperature must be a number",
    of_a_card_of_another_size: "input_size_px must be 48",
    of_no_card: "carries no model card",
}


@pytest.mark.parametrize("kind", HOSTILE, ids=lambda kind: kind.__name__)
def test_a_sealed_file_that_is_not_our_network_never_reaches_onnx_runtime(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Callable[..., Any]
) -> None:
    monkeypatch.setattr("onnxruntime.InferenceSession", lambda *_: pytest.fail("the graph was given to ONNX Runtime"))
    model = good()
    kind(model)
    path = sealed(tmp_path / "other.onnx", model)
    started = time.process_time()
    with pytest.raises(WeightsError, match=HOSTILE[kind]) as refused:
        Classifier(path)
    assert time.process_time() - started < 0.5  # hashing 5 MB and 128 fields; a Loop or a terabyte would never end
    assert "other.onnx" in str(refused.value)
    assert "scripts/train.py" in str(refused.value)


@pytest.mark.parametrize("position", range(0, 2000, 37))
def test_a_changed_byte_under_a_new_seal_is_refused_or_is_a_tensors(tmp_path: Path, position: int) -> None:
    """What a stranger can change and seal again is numbers and words, never the graph."""
    content = bytearray(onnxgraph.build(tiny.TENSORS, tiny.CARD, np.float32))
    content[-position - 1] ^= 1
    path = tmp_path / "changed.onnx"
    write_sealed(path, bytes(content))
    try:
        found = onnxfile.read(path)
    except WeightsError:
        return
    assert model_of(found.content).graph.node == good().graph.node


def test_a_file_is_read_from_memory_as_well(tmp_path: Path) -> None:
    content = tiny.write_tiny(tmp_path / "a.onnx").read_bytes()
    assert onnxfile.parse(content, "a visitor's file").card == tiny.CARD
    with pytest.raises(WeightsError, match="a visitor's file: truncated or altered"):
        onnxfile.parse(content + b"x", "a visitor's file")


def test_a_card_of_an_earlier_version_lacks_fields_and_its_file_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A field that the card got since is not in the file's text."""
    path = tmp_path / "earlier.onnx"
    whole = tiny.CARD.to_json()
    fields = json.loads(whole)
    del fields["learned_from_votes"]
    monkeypatch.setattr(type(tiny.CARD), "to_json", lambda card: json.dumps(fields))
    tiny.write_tiny(path)
    monkeypatch.undo()
    assert onnxfile.read(path).card.to_json() == whole
