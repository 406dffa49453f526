"""test_differences.py - `migrate --verify-only`: what it says of each thing that can differ."""
from moves_rig import play_moves

play_moves(__file__)
