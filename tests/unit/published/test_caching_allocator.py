"""The allocator against examples worked by hand, and its invariants."""

import math

import pytest
import torch

from postproof.published.caching_allocator import MIB, allocate


def test_allocator_against_examples_worked_by_hand():
    assert allocate([]) == (0, 0)
    assert allocate([1]) == (512, 2 * MIB)
    assert allocate([MIB, MIB]) == (2 * MIB, 2 * MIB)  # two in one small segment
    assert allocate([MIB + 1]) == (MIB + 512, 20 * MIB)  # the least large one
    assert allocate([10 * MIB]) == (10 * MIB, 10 * MIB)  # a segment of its own
    assert allocate([11 * MIB]) == (12 * MIB, 12 * MIB)  # a rest of 1 MiB is not split off
    assert allocate([11 * MIB - 512]) == (11 * MIB - 512, 12 * MIB)  # a larger one is
    assert allocate([3 * MIB // 2] * 13) == (20 * MIB, 20 * MIB)  # after twelve, 2 MiB are left: the last has them all
    assert allocate([9 * MIB, 9 * MIB]) == (18 * MIB, 20 * MIB)  # 2 MiB are left and split off


@pytest.mark.parametrize("seed", range(20))
def test_allocator_keeps_its_invariants(seed):
    """False alarms: none, the properties hold for every list of requests."""
    generator = torch.Generator().manual_seed(seed)
    requests = (2.0 ** (5 + 20 * torch.rand(60, generator=generator))).long().tolist()
    allocated, reserved = allocate(requests)
    rounded = sum(512 * math.ceil(request / 512) for request in requests)
    assert rounded <= allocated <= reserved and reserved % (2 * MIB) == 0
    small = [request for request in requests if request <= MIB]
    assert allocate(small)[0] == sum(512 * math.ceil(request / 512) for request in small)
    # The two pools do not touch each other.
    parts = [allocate(small), allocate([request for request in requests if request > MIB])]
    assert (allocated, reserved) == tuple(map(sum, zip(*parts)))
