# SPDX-License-Identifier: Apache-2.0
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tabard_registry.intake.layers.products import Pair, fold_core, hadamard, kronecker, whole

SIZES = st.integers(1, 4)
KERNELS = st.sampled_from([(), (3, 3), (1, 2)])


def weight_of(pair: Pair) -> np.ndarray:
    """What a pair stands for."""
    rank, *shape = pair.down.shape
    flat = pair.up @ pair.down.reshape(rank, -1)
    return flat.reshape(pair.up.shape[0], *shape)


def pair_of(seed: int, *, outputs: int, inputs: int, rank: int, kernel: tuple[int, ...]) -> Pair:
    """A random pair."""
    rng = np.random.default_rng(seed)
    return Pair(
        down=rng.standard_normal((rank, inputs, *kernel)), up=rng.standard_normal((outputs, rank))
    )


@settings(max_examples=60)
@given(a=SIZES, b=SIZES, c=SIZES, d=SIZES, r=SIZES, q=SIZES, kernel=KERNELS, seed=st.integers(0, 9))
def test_kronecker_is_the_kronecker_product(
    a: int, b: int, c: int, d: int, r: int, q: int, kernel: tuple[int, ...], seed: int
) -> None:
    """The pair of the product is the product of the pairs, kernel and all."""
    left = pair_of(seed, outputs=a, inputs=c, rank=r, kernel=())
    right = pair_of(seed + 1, outputs=b, inputs=d, rank=q, kernel=kernel)

    found = weight_of(kronecker(left, right))

    small = weight_of(left).reshape(a, c, *[1] * len(kernel))
    np.testing.assert_allclose(found, np.kron(small, weight_of(right)), atol=1e-12)


@settings(max_examples=60)
@given(a=SIZES, b=SIZES, r=SIZES, q=SIZES, kernel=KERNELS, seed=st.integers(0, 9))
def test_hadamard_multiplies_elements(
    a: int, b: int, r: int, q: int, kernel: tuple[int, ...], seed: int
) -> None:
    """The pair of the product is the product of the weights, element by element."""
    left = pair_of(seed, outputs=a, inputs=b, rank=r, kernel=kernel)
    right = pair_of(seed + 1, outputs=a, inputs=b, rank=q, kernel=kernel)

    found = weight_of(hadamard(left, right))

    np.testing.assert_allclose(found, weight_of(left) * weight_of(right), atol=1e-12)


@given(a=SIZES, b=SIZES, r=SIZES, seed=st.integers(0, 9))
def test_core_is_folded_in(a: int, b: int, r: int, seed: int) -> None:
    """A Tucker core stands between the factors."""
    pair = pair_of(seed, outputs=a, inputs=b, rank=r, kernel=(1, 1))
    core = np.random.default_rng(seed).standard_normal((r, r, 3, 2))

    found = weight_of(fold_core(pair, core=core))

    expected = np.einsum("mnhw,im,nj->ijhw", core, pair.up, pair.down[:, :, 0, 0])
    np.testing.assert_allclose(found, expected, atol=1e-12)


@given(a=SIZES, b=SIZES, kernel=KERNELS, seed=st.integers(0, 9))
def test_whole_weight_is_itself(a: int, b: int, kernel: tuple[int, ...], seed: int) -> None:
    """An identity on the smaller side makes a pair of any weight."""
    weight = np.random.default_rng(seed).standard_normal((a, b, *kernel))

    pair = whole(weight)

    assert np.array_equal(weight_of(pair), weight)
    assert kernel or pair.down.shape[0] == min(a, b)
