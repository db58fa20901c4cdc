"""The pages of all posts, results/site: for reading and quoting, opened from the disk without server or network.

The way through the package: `sources` says of each table what it holds and what made it, `charts` reads what a drawn
chart says of itself, `twins` takes the parts of its interactive twin, `views` puts claims and charts into what the
templates show, `families` finds what several posts speak of. `post` is the command of a post's page, `pages` that of
the others. The templates only lay out; nothing is computed in them.
"""
