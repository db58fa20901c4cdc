"""postproof: the charts and numbers of the posts, rebuilt and judged."""
