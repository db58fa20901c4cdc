"""The pinned product is a product: equal to torch's own within rounding, with torch's gradients."""

import pytest
import torch

from postproof.core import exact
from postproof.core.linalg import Linear, matmul

SHAPES = [((5, 7), (7, 3)), ((1, 4), (4, 1)), ((0, 4), (4, 3)), ((2, 3, 5, 7), (2, 3, 7, 4))]


@pytest.mark.parametrize("shape_a, shape_b", SHAPES)
@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 1e-5), (torch.float64, 1e-13)])
def test_values_and_gradients_are_those_of_torch(shape_a, shape_b, dtype, tolerance):
    assert exact.pinned(), "this test is about the pinned product"
    torch.manual_seed(0)
    a, b = torch.randn(shape_a, dtype=dtype), torch.randn(shape_b, dtype=dtype)
    ours, theirs = ([tensor.clone().requires_grad_() for tensor in (a, b)] for _ in range(2))
    c, reference = matmul(*ours), theirs[0] @ theirs[1]
    weight = torch.randn_like(reference)
    (c * weight).sum().backward()
    (reference * weight).sum().backward()
    torch.testing.assert_close(c, reference, atol=tolerance, rtol=tolerance)
    for x, y in zip(ours, theirs):
        torch.testing.assert_close(x.grad, y.grad, atol=tolerance, rtol=tolerance)


def test_transposed_and_strided_views_are_multiplied_as_they_stand():
    torch.manual_seed(0)
    x_BTHd = torch.randn(2, 6, 3, 4)
    q_BHTd = x_BTHd.transpose(1, 2)
    torch.testing.assert_close(matmul(q_BHTd, q_BHTd.mT), q_BHTd @ q_BHTd.mT, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("bias", [True, False])
def test_linear_is_torchs_linear(bias):
    torch.manual_seed(0)
    ours = Linear(6, 4, bias=bias)
    reference = torch.nn.Linear(6, 4, bias=bias)
    reference.load_state_dict(ours.state_dict())
    x = torch.randn(2, 3, 6)
    torch.testing.assert_close(ours(x), reference(x), atol=1e-6, rtol=1e-6)
