# Runs a program and then its tests, and says with a secret that both came to their end. See the
# package's documentation: the order in the last line is what the verdict rests on.
import sys
from os import read, write


def take(size):
    text = b""
    while len(text) < size:
        part = read(3, size - len(text))
        if not part:
            raise EOFError("the program is cut short")
        text += part
    return text.decode()


sizes, sys.path[:], sys.argv[:] = sys.argv[1:3], sys.argv[3:], [""]
program = compile(take(int(sizes[0])), "<program>", "exec")
tests = compile(take(int(sizes[1])), "<tests>", "exec")
space = {}
write(4, read(3, 32) + (exec(tests, space, exec(program, space)) or b""))
