"""The steps of the signed alignment test, one neuron, row and expert at a time, in float64."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Matrix = list[list[float]]


def slow_z(targets: Float32, references: Float32) -> Float64:
    """z of every target against every reference, `[E, k, m]` and `[R, k, m]` raw rows."""
    theirs = [_standard_rows(_unit_neurons(raw.tolist())) for raw in references]
    if len(theirs) > 1:
        theirs = _centre_indices(theirs)
    ours = [_standard_rows(_unit_neurons(raw.tolist())) for raw in targets]
    directions = _strongest_directions(theirs)
    theirs = [_unit_neurons(_without(expert, directions)) for expert in theirs]
    if len(theirs) > 1:
        theirs = _centre_indices(theirs)
    theirs = [_centre_rows(expert) for expert in theirs]
    ours = [_centre_rows(_unit_neurons(_without(expert, directions))) for expert in ours]
    return np.array([[_z(one, other) for other in theirs] for one in ours])


def _unit_neurons(rows: Matrix) -> Matrix:
    result = [list(row) for row in rows]
    for neuron in range(len(rows[0])):
        norm = sum(row[neuron] ** 2 for row in rows) ** 0.5
        for row, new in zip(rows, result, strict=True):
            new[neuron] = row[neuron] / norm if norm else 0.0
    return result


def _standard_rows(rows: Matrix) -> Matrix:
    result = []
    for row in _centre_rows(rows):
        deviation = (sum(value**2 for value in row) / len(row)) ** 0.5
        result.append([value / deviation for value in row])
    return result


def _centre_rows(rows: Matrix) -> Matrix:
    return [[value - sum(row) / len(row) for value in row] for row in rows]


def _centre_indices(experts: list[Matrix]) -> list[Matrix]:
    """Each without the multiple of the mean that leaves the least of it."""
    mean = np.mean(experts, axis=0)
    result = []
    if float(np.sum(mean**2)) < 1e-9 * float(np.mean([np.sum(np.square(e)) for e in experts])):
        return experts
    for expert in experts:
        share = float(np.linalg.lstsq(mean.reshape(-1, 1), np.ravel(expert))[0][0])
        result.append((np.array(expert) - share * mean).tolist())
    return result


def _strongest_directions(experts: Sequence[Matrix]) -> Float64:
    rows = len(experts[0])
    if rows < 8:
        return np.empty((0, rows))
    gram = sum(np.array(expert) @ np.array(expert).T for expert in experts)
    values, vectors = np.linalg.eigh(gram)
    order = np.argsort(-values)
    return np.asarray(vectors[:, order[: max(1, rows // 8)]].T)


def _without(expert: Matrix, directions: Float64) -> Matrix:
    values = np.array(expert)
    for direction in directions:
        for neuron in range(values.shape[1]):
            values[:, neuron] -= float(direction @ values[:, neuron]) * direction
    rows: Matrix = values.tolist()
    return rows


def _z(one: Matrix, other: Matrix) -> float:
    rows, neurons = len(one), len(one[0])
    aligned = sum(one[i][j] * other[i][j] for i in range(rows) for j in range(neurons))
    gram_one, gram_other = np.array(one) @ np.array(one).T, np.array(other) @ np.array(other).T
    variance = float(np.trace(gram_one @ gram_other)) / (neurons - 1)
    return float(aligned / variance**0.5)
