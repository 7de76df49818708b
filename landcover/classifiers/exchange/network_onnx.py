"""Networks as ONNX, the exchange format that inference engines and other programs read.

A network is first read into its arithmetic, a chain of convolutions and matrix products with
plain arrays as weights, so the graph is the same whatever backend Keras runs on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypedDict, Unpack

import numpy as np

from landcover.errors import InputError

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto

    from landcover.classifiers.networks.backend import Layer, Network, Tensor

#: Operators and file version of onnx 1.12: old enough for the runtimes in use.
_OPSET, _IR_VERSION = 17, 8
_ACTIVATIONS = {"relu": "Relu", "softmax": "Softmax"}
#: What the builders use beside layers with weights: the inputs' preparation, and dropout.
_WITHOUT_WEIGHTS = {
    "InputLayer", "Isnan", "Where", "GetItem", "Less", "OneHot", "Concatenate", "Dropout",
}  # fmt: skip


@dataclass(frozen=True)
class Step:
    """A convolution or matrix product with what follows it, or a flattening (no kernel).

    Attributes
    ----------
    kernel : array of float32, (outputs, inputs, rows, cols) or (outputs, inputs), optional
    bias : array of float32, (outputs,), optional
    dilation : int
        Of a convolution.
    same : bool
        Whether zeros around the image keep its size.
    activation : str
        "linear", "relu" or "softmax".
    """

    kernel: np.ndarray | None = None
    bias: np.ndarray | None = None
    dilation: int = 1
    same: bool = False
    activation: str = "linear"


@dataclass(frozen=True)
class Arithmetic:
    """What a network computes.

    Attributes
    ----------
    mean, deviation : arrays of float32, (inputs,)
        The input is standardised by these; NaN then counts as 0.
    type_counts : tuple of int
        Types of every layer of segment types, which are appended one-hot.
    steps : tuple of Step
    """

    mean: np.ndarray
    deviation: np.ndarray
    type_counts: tuple[int, ...]
    steps: tuple[Step, ...]

    @property
    def flop_per_pixel(self) -> int:
        """Floating-point operations of one output pixel of a network that runs densely."""
        return sum(2 * step.kernel.size for step in self.steps if step.kernel is not None)

    def flop_per_chip(self, patch_size: int) -> int:
        """The same of a dense network that runs on one chip, whose inner pixels serve it alone."""
        total, side = 0, patch_size
        for step in self.steps:
            kernel, _ = _weights(step)
            side -= step.dilation * (kernel.shape[-1] - 1)
            total += 2 * kernel.size * side * side
        return total


def arithmetic(model: Network) -> Arithmetic:
    """Read a network; batch normalisation is folded into the convolution before it.

    Parameters
    ----------
    model : keras.Model
        From `build_cnn`, `build_published` or `build_mlp`, fresh or loaded.

    Raises
    ------
    InputError
        If the network holds an operation that none of the builders uses.
    """
    mean = deviation = np.zeros(0, np.float32)
    counts: list[int] = []
    steps: list[Step] = []
    for operation in model.operations:
        kind = type(operation).__name__
        if kind == "Normalization":
            mean, variance = (_held(tensor) for tensor in (operation.mean, operation.variance))
            deviation = np.maximum(np.sqrt(variance), np.float32(1e-7))  # Keras' own floor
        elif kind == "OneHot":
            counts.append(operation.num_classes)
        elif kind in ("Conv2D", "Dense"):
            steps.append(_weighted(operation, kind))
        elif kind == "BatchNormalization":
            steps[-1] = _normalised(steps[-1], operation)
        elif kind == "ReLU":
            steps[-1] = replace(steps[-1], activation="relu")
        elif kind == "Flatten":
            steps.append(Step())
        elif kind not in _WITHOUT_WEIGHTS:
            raise InputError(
                f"network {model.name} holds {kind}, which has no ONNX form here; "
                "the networks that landcover train makes have one"
            )
    return Arithmetic(mean, deviation, tuple(counts), tuple(steps))


def _held(tensor: Tensor) -> np.ndarray:
    """A vector that the backend may hold on a GPU."""
    from landcover.classifiers.networks.backend import keras_module

    return keras_module().ops.convert_to_numpy(tensor).astype(np.float32).ravel()


def _weighted(layer: Layer, kind: str) -> Step:
    """A Conv2D or Dense layer with its activation."""
    kernel, *bias = layer.get_weights()
    activation = layer.activation.__name__
    if activation != "linear" and activation not in _ACTIVATIONS:
        raise InputError(
            f"layer {layer.name} has activation {activation}, which has no ONNX form here; "
            f"use one of {', '.join(_ACTIVATIONS)}"
        )
    axes = (3, 2, 0, 1) if kind == "Conv2D" else (1, 0)
    kernel = kernel.transpose(axes)
    step = Step(kernel, bias[0] if bias else np.zeros(len(kernel), np.float32))
    step = replace(step, activation=activation)
    if kind == "Conv2D":
        step = replace(step, dilation=layer.dilation_rate[0], same=layer.padding == "same")
    return step


def _weights(step: Step) -> tuple[np.ndarray, np.ndarray]:
    """Kernel and bias of a step that has them, as all that compute do."""
    if step.kernel is None or step.bias is None:
        raise ValueError("the step has no weights")
    return step.kernel, step.bias


def _normalised(step: Step, layer: Layer) -> Step:
    """A convolution with the batch normalisation after it folded in."""
    kernel, bias = _weights(step)
    if step.activation != "linear":
        raise ValueError(f"normalisation after {step.activation} cannot be folded into weights")
    gamma, beta, mean, variance = (w.astype(np.float64) for w in layer.get_weights())
    scale = gamma / np.sqrt(variance + layer.epsilon)
    return replace(
        step,
        kernel=(kernel * scale[:, np.newaxis, np.newaxis, np.newaxis]).astype(np.float32),
        bias=(beta + (bias - mean) * scale).astype(np.float32),
    )


def to_onnx(
    model: Network, *, channels_first: bool = False, logits: bool = False, col_step: int = 1
) -> ModelProto:
    """A network as an ONNX model with the same inputs and outputs.

    Parameters
    ----------
    model : keras.Model
        From `build_cnn`, `build_published` or `build_mlp`, fresh or loaded.
    channels_first : bool
        Take and give images as (batch, bands or classes, rows, cols), which spares an engine
        two transpositions; by default bands come last, as in the Keras model.
    logits : bool
        Leave out the softmax at the end.
    col_step : int
        Columns from a pixel to its right neighbour. With n images whose columns take turns,
        image 0's first, image 1's first and so on, and a step of n, a dense network runs on
        all of them as on one wide image: rows of a chip are too short for an engine to be quick.

    Returns
    -------
    onnx.ModelProto
        Inputs are named as the Keras model's (``reflectance``, or ``values`` and
        ``segment_types``), the output is ``classes``. The batch is of any size, and so are
        rows and cols where the network is dense. A missing value is NaN.

    Raises
    ------
    InputError
        If the network holds an operation that none of the builders uses.

    References
    ----------
    Operators: https://onnx.ai/onnx/operators
    """
    from onnx import checker, helper

    content = arithmetic(model)
    image = len(model.inputs[0].shape) == 4
    last = image and not channels_first
    graph = _Graph()
    end = _prepared(graph, content, model.inputs, image, last)
    for step in content.steps:
        if step.kernel is None:
            # Keras flattens an image whose bands come last
            end = graph.add("Flatten", graph.add("Transpose", end, perm=(0, 2, 3, 1)))
            continue
        end = _applied(graph, step, end, col_step)
        if step.activation in _ACTIVATIONS and not (logits and step is content.steps[-1]):
            settings: _Attributes = {"axis": 1} if step.activation == "softmax" else {}
            end = graph.add(_ACTIVATIONS[step.activation], end, **settings)
    if last and len(model.outputs[0].shape) == 4:
        end = graph.add("Transpose", end, perm=(0, 2, 3, 1))
    graph.add("Identity", end, name="classes")
    inputs = [_declared(t.name, t.dtype, t.shape, "", channels_first) for t in model.inputs]
    output = _declared("classes", "float32", model.outputs[0].shape, "out_", channels_first)
    onnx_model = helper.make_model(
        helper.make_graph(graph.nodes, model.name, inputs, [output], graph.constants),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
        producer_name="landcover",
    )
    checker.check_model(onnx_model)
    return onnx_model


class _Attributes(TypedDict, total=False):
    """Attributes of the ONNX operators that are used here."""

    auto_pad: str
    axis: int
    dilations: list[int]
    perm: tuple[int, ...]
    to: int
    transB: int


class _Graph:
    """ONNX nodes and constants, named as they are added."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: list[TensorProto] = []

    def add(
        self, kind: str, *inputs: str | np.ndarray, name: str = "", **settings: Unpack[_Attributes]
    ) -> str:
        """Append a node that takes earlier outputs or constant arrays; the name of its output."""
        from onnx import helper

        output = name or f"{kind.lower()}_{len(self.nodes)}"
        taken = [i if isinstance(i, str) else self._constant(i) for i in inputs]
        self.nodes.append(helper.make_node(kind, taken, [output], output, **settings))
        return output

    def _constant(self, value: np.ndarray) -> str:
        """Append a constant; its name."""
        from onnx import numpy_helper

        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, order="C"), name))
        return name


def _prepared(
    graph: _Graph, content: Arithmetic, inputs: Sequence[Tensor], image: bool, last: bool
) -> str:
    """Inputs, standardised, with NaN as 0 and segment types one-hot behind them."""
    from onnx import TensorProto

    end = inputs[0].name
    if last:
        end = graph.add("Transpose", end, perm=(0, 3, 1, 2))
    shape = (1, -1, 1, 1) if image else (1, -1)
    end = graph.add("Sub", end, content.mean.reshape(shape))
    end = graph.add("Div", end, content.deviation.reshape(shape))
    end = graph.add("Where", graph.add("IsNaN", end), np.zeros((), np.float32), end)
    hot = []
    for column, count in enumerate(content.type_counts):
        one = graph.add("Gather", inputs[1].name, np.array([column]), axis=1)
        known = graph.add("Less", one, np.array(count, np.int32))
        # A type unknown in training counts as nodata
        one = graph.add("Where", known, one, np.array(0, np.int32))
        one = graph.add("Equal", one, np.arange(count, dtype=np.int32)[np.newaxis])
        hot.append(graph.add("Cast", one, to=TensorProto.FLOAT))
    return graph.add("Concat", end, *hot, axis=1) if hot else end


def _applied(graph: _Graph, step: Step, end: str, col_step: int) -> str:
    """A step's convolution or matrix product."""
    kernel, bias = _weights(step)
    if kernel.ndim == 2:
        return graph.add("Gemm", end, kernel, bias, transB=1)
    settings: _Attributes = {
        "dilations": [step.dilation, step.dilation * col_step],
        "auto_pad": "SAME_UPPER" if step.same else "VALID",
    }
    return graph.add("Conv", end, kernel, bias, **settings)


def _declared(
    name: str, dtype: str, shape: tuple[int | None, ...], prefix: str, channels_first: bool
) -> ValueInfoProto:
    """An input or output, with names for the sides that may vary."""
    from onnx import TensorProto, helper

    sides: list[str | int | None] = ["batch", *shape[1:]]
    if len(shape) == 4:
        sides[1:3] = [
            side or prefix + axis for side, axis in zip(shape[1:3], ("rows", "cols"), strict=True)
        ]
        if channels_first:
            sides = [sides[0], sides[3], *sides[1:3]]
    kind = TensorProto.INT32 if dtype == "int32" else TensorProto.FLOAT
    return helper.make_tensor_value_info(name, kind, sides)
