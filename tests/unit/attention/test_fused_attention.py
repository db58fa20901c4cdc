"""torch's fused attention as the check calls it, under the kernels of exact mode."""

import pytest
import torch

from postproof.attention.attention_check import fused
from postproof.core import exact


@pytest.mark.parametrize("dtype, tolerance", [(torch.float32, 1e-6), (torch.bfloat16, 1e-2)])
def test_it_is_attention_also_where_the_processor_has_other_instructions_than_the_pinned(dtype, tolerance):
    """With AMX, bfloat16 at this size raised RuntimeError."""
    assert exact.pinned()
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(1, 8, 64, 64, generator=generator).to(dtype) for _ in range(3))
    expected = (q.double() @ k.double().mT / 8).softmax(dim=-1) @ v.double()
    torch.testing.assert_close(fused(q, k, v, None).double(), expected, rtol=tolerance, atol=tolerance)
