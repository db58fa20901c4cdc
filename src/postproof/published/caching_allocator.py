"""What PyTorch's CUDA caching allocator says it gives to tensors that are allocated and freed one after the other.

The rules of c10/cuda/CUDACachingAllocator.cpp, the same from PyTorch 1.13 to today, at default settings (no
expandable segments, no limit to splitting), one stream, from an empty cache:

1. A request is rounded up to 512 bytes (round_size); one of 0 bytes takes nothing.
2. Up to 1 MiB it comes from the pool of small blocks, else from that of large ones (get_pool).
3. The smallest free block of the pool that is large enough is taken (get_free_block), among equals the one at the
   lowest address; segments count here as if the driver gave rising addresses. If there is none, the driver is asked
   for a segment: 2 MiB for a small request; 20 MiB for one under 10 MiB; else the request rounded up to 2 MiB
   (get_allocation_size).
4. The rest of the block is split off and becomes free, if it is at least 512 bytes (small pool) or over 1 MiB (large
   pool). Else the request keeps the whole block (should_split).
5. A freed block goes back to its pool, joined with its neighbours in the segment where they are free (free_block,
   try_merge_blocks). Segments stay reserved.

memory_allocated() adds up the blocks that are held, memory_reserved() the segments. So memory_allocated() is the
requests rounded to 512 bytes unless rule 4 leaves a rest of up to 1 MiB with a large tensor.
"""

from __future__ import annotations

import bisect
import dataclasses
from collections.abc import Iterable

MIB = 2**20
ROUND_BYTES = 512
LARGEST_SMALL_BYTES = MIB
SMALL_SEGMENT_BYTES = 2 * MIB
LARGE_SEGMENT_BYTES = 20 * MIB
LEAST_OWN_SEGMENT_BYTES = 10 * MIB
ROUND_OWN_SEGMENT_BYTES = 2 * MIB


@dataclasses.dataclass(eq=False)
class Block:
    """A stretch of a segment, linked to the stretches before and after it."""

    size: int
    small: bool
    segment: int
    offset: int
    held: bool = False
    before: Block | None = None
    after: Block | None = None

    @property
    def order(self) -> tuple[int, int, int]:
        return self.size, self.segment, self.offset


class CachingAllocator:
    """`allocated` and `reserved` bytes now, and `peak_allocated` and `peak_reserved` since the last `reset_peak`."""

    def __init__(self):
        self.allocated = self.reserved = self.peak_allocated = self.peak_reserved = 0
        self._segments = 0
        self._free: dict[bool, list[Block]] = {True: [], False: []}  # in order of size, of the small and large pool

    def allocate(self, request_bytes: int) -> Block | None:
        """The block that such a tensor gets, to be handed to `free`; None for one without bytes."""
        if request_bytes == 0:
            return None
        size = round_up(request_bytes, ROUND_BYTES)
        small = size <= LARGEST_SMALL_BYTES
        pool = self._free[small]
        smallest = bisect.bisect_left(pool, size, key=lambda block: block.size)
        if smallest < len(pool):
            block = pool.pop(smallest)
        else:
            block = Block(segment_bytes(size), small, self._segments, 0)
            self._segments += 1
            self.reserved += block.size
        rest = block.size - size
        if rest >= ROUND_BYTES if small else rest > LARGEST_SMALL_BYTES:
            self._split(block, size)
        block.held = True
        self.allocated += block.size
        self.peak_allocated = max(self.peak_allocated, self.allocated)
        self.peak_reserved = max(self.peak_reserved, self.reserved)
        return block

    def free(self, block: Block | None) -> None:
        """Raises ValueError when the block is not held."""
        if block is None:
            return
        if not block.held:
            raise ValueError("block is freed twice")
        block.held = False
        self.allocated -= block.size
        for neighbour in (block.before, block.after):
            if neighbour is not None and not neighbour.held:
                self._free[block.small].remove(neighbour)
                self._join(block, neighbour)
        self._insert(block)

    def reset_peak(self) -> None:
        self.peak_allocated, self.peak_reserved = self.allocated, self.reserved

    def _split(self, block: Block, size: int) -> None:
        rest = Block(block.size - size, block.small, block.segment, block.offset + size, False, block, block.after)
        if block.after is not None:
            block.after.before = rest
        block.size, block.after = size, rest
        self._insert(rest)

    def _join(self, block: Block, neighbour: Block) -> None:
        if neighbour is block.before:
            block.offset, block.before = neighbour.offset, neighbour.before
            if block.before is not None:
                block.before.after = block
        else:
            block.after = neighbour.after
            if block.after is not None:
                block.after.before = block
        block.size += neighbour.size

    def _insert(self, block: Block) -> None:
        bisect.insort(self._free[block.small], block, key=lambda each: each.order)


def allocate(requests_bytes: Iterable[int]) -> tuple[int, int]:
    """(allocated, reserved) bytes after these requests, in this order, from an empty cache, with none freed."""
    allocator = CachingAllocator()
    for request_bytes in requests_bytes:
        allocator.allocate(request_bytes)
    return allocator.allocated, allocator.reserved


def segment_bytes(size: int) -> int:
    """What the driver is asked for, for a rounded request that no free block can serve."""
    if size <= LARGEST_SMALL_BYTES:
        return SMALL_SEGMENT_BYTES
    if size < LEAST_OWN_SEGMENT_BYTES:
        return LARGE_SEGMENT_BYTES
    return round_up(size, ROUND_OWN_SEGMENT_BYTES)


def round_up(count: int, unit: int) -> int:
    return -(-count // unit) * unit
