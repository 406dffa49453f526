"""test_output.py - what a command says and cannot write: a full disk is told, a reader that goes away is not."""
from transcript import play_beside

play_beside(__file__)
