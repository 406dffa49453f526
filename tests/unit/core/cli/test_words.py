"""test_words.py - help, versions, and command lines that are wrong, each with its output."""
from transcript import play_beside

play_beside(__file__, (r"backplane \S+ \(build [^)]*\)", "backplane VERSION"))
