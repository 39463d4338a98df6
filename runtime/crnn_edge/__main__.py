"""`python -m crnn_edge`: the same as the command `crnn-edge`."""

import sys

from crnn_edge.cli.main import main

sys.exit(main())
