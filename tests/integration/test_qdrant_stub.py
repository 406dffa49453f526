"""test_qdrant_stub.py - the stub of Qdrant is judged by the official JavaScript client and by the real engine.

@qdrant/js-client-rest makes every call that vector/qdrant makes. qdrant-edge-py is Qdrant's own engine in this process:
points, scores, order, filters, the contains-match that prefixes are made of, counts and facets are compared with it.
"""
import random
import sys
import threading

import node_tools
import python_tools
import qdrant_stub
from backplane_test import SOURCE, check, check_equal, run_tests, skip

python_tools.inside("qdrant-edge", "qdrant-edge-py==0.9.0")
import qdrant_edge as edge  # pylint: disable=wrong-import-position
