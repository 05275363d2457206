"""A WD14-shaped tagger made on the spot: its outputs are known functions of the picture's pixels."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE = 16

TAGS = (
    ("general", 9),
    ("smile", 0),
    ("hatsune_miku", 4),
    ("^_^", 0),
    ("brown_hair", 0),
    ("closed_eyes", 0),
    ("blue_shirt", 0),
    ("1boy", 0),
    ("2boys", 0),
)
"""Names and categories, in no order that could be relied on."""


def write_tagger(folder: Path, weights: dict[str, tuple[float, float, float, float]]) -> Path:
    """A tagger: each tag's probability is sigmoid(w · mean of the (first, second, third) channel / 255 + bias).

    Args:
        folder: where ``model.onnx`` and ``selected_tags.csv`` go.
        weights: a tag's three weights and its bias; tags not named have a probability near 0.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = [name for name, _ in TAGS]
    matrix = np.zeros((3, len(names)), np.float32)
    bias = np.full(len(names), -20.0, np.float32)
    for name, (*channels, offset) in weights.items():
        matrix[:, names.index(name)] = np.asarray(channels, np.float32) / 255
        bias[names.index(name)] = offset
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["input", "axes"], ["mean"], keepdims=0),
            helper.make_node("MatMul", ["mean", "matrix"], ["scores"]),
            helper.make_node("Add", ["scores", "bias"], ["logits"]),
            helper.make_node("Sigmoid", ["logits"], ["output"]),
        ],
        "tagger",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", SIDE, SIDE, 3])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["N", len(names)])],
        [
            numpy_helper.from_array(np.asarray([1, 2], np.int64), "axes"),
            numpy_helper.from_array(matrix, "matrix"),
            numpy_helper.from_array(bias, "bias"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 9
    onnx.save(model, str(folder / "model.onnx"))
    with (folder / "selected_tags.csv").open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(("tag_id", "name", "category", "count"))
        writer.writerows((9_000_000 + number, name, category, 10) for number, (name, category) in enumerate(TAGS))
    return folder
