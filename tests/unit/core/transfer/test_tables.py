"""test_tables.py - `migrate`: which tables are moved, and rows by keys and values of every sort; vectors that are nearly the same."""
from moves_rig import play_moves

play_moves(__file__)
