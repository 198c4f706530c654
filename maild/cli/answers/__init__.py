"""What commands say, as values that JSON can hold (instants excepted): rows in, dictionaries out; nothing is printed.

The keys are a promise to operators: they may grow, and do not change their meaning.
"""
