"""test_moves.py - `migrate` between files: all that it says of a move, of one that was done or broken off, and of what it refuses."""
from moves_rig import play_moves

play_moves(__file__)
