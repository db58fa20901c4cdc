"""What PyTorch's CUDA caching allocator says it gives to tensors that are allocated one after the other.

The rules of c10/cuda/CUDACachingAllocator.cpp, the same from PyTorch 1.13 to today, at default settings (no
expandable segments, no limit to splitting), from an empty cache and with nothing freed in between:

1. A request is rounded up to 512 bytes (round_size).
2. Up to 1 MiB it comes from the pool of small blocks, else from that of large ones (get_pool).
3. The smallest free block of the pool that is large enough is taken (get_free_block). If there is none, the driver is
   asked for a segment: 2 MiB for a small request; 20 MiB for one under 10 MiB; else the request rounded up to 2 MiB
   (get_allocation_size).
4. The rest of the block is split off and becomes free, if it is at least 512 bytes (small pool) or over 1 MiB (large
   pool). Else the request keeps the whole block (should_split).

memory_allocated() adds up the blocks that are held, memory_reserved() the segments. So memory_allocated() is the
request rounded to 512 bytes unless rule 4 leaves a rest of up to 1 MiB with a large tensor.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable

MIB = 2**20
ROUND_BYTES = 512
LARGEST_SMALL_BYTES = MIB
SMALL_SEGMENT_BYTES = 2 * MIB
LARGE_SEGMENT_BYTES = 20 * MIB
LEAST_OWN_SEGMENT_BYTES = 10 * MIB
ROUND_OWN_SEGMENT_BYTES = 2 * MIB


def allocate(requests_bytes: Iterable[int]) -> tuple[int, int]:
    """(allocated, reserved) bytes after these requests, in this order, from an empty cache."""
    allocated = reserved = 0
    free: dict[bool, list[int]] = {True: [], False: []}  # sizes of free blocks in order, of the small and large pool
    for request in requests_bytes:
        size = round_up(request, ROUND_BYTES)
        small = size <= LARGEST_SMALL_BYTES
        blocks = free[small]
        smallest = bisect.bisect_left(blocks, size)
        if smallest < len(blocks):
            block = blocks.pop(smallest)
        else:
            block = segment_bytes(size)
            reserved += block
        rest = block - size
        if rest >= ROUND_BYTES if small else rest > LARGEST_SMALL_BYTES:
            bisect.insort(blocks, rest)
            block = size
        allocated += block
    return allocated, reserved


def segment_bytes(size: int) -> int:
    """What the driver is asked for, for a rounded request that no free block can serve."""
    if size <= LARGEST_SMALL_BYTES:
        return SMALL_SEGMENT_BYTES
    if size < LEAST_OWN_SEGMENT_BYTES:
        return LARGE_SEGMENT_BYTES
    return round_up(size, ROUND_OWN_SEGMENT_BYTES)


def round_up(count: int, unit: int) -> int:
    return -(-count // unit) * unit
