import sys

from postproof.cli import main

sys.exit(main())
