"""Random pickles against `plain_pickle`: `python -m benchmarks.fuzz_pickles --count 100000`.

Programs are drawn from the grammar of the instructions, weighted towards those that build arrays,
dtypes and nested values, with lengths, shapes and byte counts that lie. Each runs in a child
process with a limit of memory; a crash, over 2 s, or an error that is no PlainPickleError counts
as a fault and is printed with its seed.
"""

from __future__ import annotations

import argparse
import io
import multiprocessing
import random
import resource
import struct
import time
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path

from posezoo.data.convert.pickle_nodes import PlainPickleError
from posezoo.data.convert.plain_pickle import load_plain

SLOW_S = 2.0
MEMORY_BYTES = 500 << 20  # beside what the process has when it starts
_NAMES = (
    b"numpy._core.multiarray\n_reconstruct\n",
    b"numpy.core.multiarray\nscalar\n",
    b"numpy._core.numeric\n_frombuffer\n",
    b"numpy\nndarray\n",
    b"numpy\ndtype\n",
    b"_codecs\nencode\n",
    b"collections\nOrderedDict\n",
    b"__builtin__\nbytes\n",
    b"posix\nsystem\n",
    b"builtins\neval\n",
)
_KINDS = (b"f4", b"f8", b"i8", b"O", b"U3", b"S5", b"b1", b"U999999", b"V8", b"M8", b"|O8")
_NUMBERS = (0, 1, 2, 3, -1, 255, 1 << 31, 1 << 62, 1 << 200)


def program(seed: int) -> bytes:
    """One pickle: a value that holds together, whole or damaged, or instructions in any order."""
    rng = random.Random(seed)
    if rng.random() < 0.4:
        body = b"".join(_instruction(rng) for _ in range(rng.randint(1, 60)))
    else:
        body = _whole(rng, 4)
        for _ in range(rng.choice((0, 0, 1, 3))):
            place = rng.randint(0, len(body))
            body = body[:place] + _noise(rng) + body[place + rng.randint(0, 2) :]
    if rng.random() < 0.1:
        body = _deep(rng) + body
    return body + b"."


def _whole(rng: random.Random, depth: int) -> bytes:
    """Instructions that leave one value on the stack."""
    if not depth or rng.random() < 0.3:
        return rng.choice((b"K\x05", b"I-3\n", b"U\x02ab", b"N", b"G" + bytes(8), b"\x88", b")"))
    below = [_whole(rng, depth - 1) for _ in range(rng.randint(0, 4))]
    kept = b"".join(each + rng.choice((b"", b"q\x01")) for each in below)
    pairs = b"".join(rng.choice((b"K\x01", b"U\x01k", b"K\x02\x85")) + each for each in below)
    return rng.choice((
        b"(" + kept + b"l",
        b"(" + kept + b"t",
        b"](" + kept + b"e",
        b"(" + pairs + b"d",
        b"}(" + pairs + b"u",
        b"ccollections\nOrderedDict\n)R(" + pairs + b"u",
        _array(rng),
        _array(rng),
    ))  # fmt: skip


def _deep(rng: random.Random) -> bytes:
    """Nesting and doubling, by far more than any honest file has."""
    count = rng.choice((40, 1000, 20_000))
    return rng.choice((
        b")" + b"\x85" * count,  # tuples in tuples
        b"]" + b"q\x00h\x00\x86" * count,  # each holds the one before twice
        b"]" + b"q\x00]h\x00ah\x00a" * count,
        b"}(" + b"(" * count,
        b"}" + b")" + b"\x85" * count + b"K\x01s",  # a deep tuple as a key
        b"]q\x00h\x00a" + b"0" * 3,  # a list that holds itself
    ))  # fmt: skip


def _instruction(rng: random.Random) -> bytes:
    return rng.choice((_value, _value, _value, _nest, _memo, _name, _array, _array, _noise))(rng)


def _value(rng: random.Random) -> bytes:
    number = rng.choice(_NUMBERS)
    raw = rng.randbytes(rng.randint(0, 40))
    claimed = rng.choice((len(raw), len(raw), 0, 1 << 20, (1 << 32) - 1))
    return rng.choice((
        b"K" + bytes([number & 255]),
        b"J" + struct.pack("<i", number & 0x7FFFFFFF),
        b"I" + str(number).encode() + b"\n",
        b"I" + b"9" * rng.choice((5, 5000)) + b"\n",
        b"\x8a" + bytes([len(raw)]) + raw,
        b"G" + rng.randbytes(8),
        b"X" + struct.pack("<I", claimed) + b"x" * len(raw),
        b"B" + struct.pack("<I", claimed) + raw,
        b"\x8e" + struct.pack("<Q", rng.choice((claimed, 1 << 60))) + raw,
        b"U" + bytes([len(raw)]) + raw,
        b"V" + b"text\\u0041\n",
        rng.choice((b"N", b"\x88", b"\x89", b")", b"]", b"}")),
    ))  # fmt: skip


def _nest(rng: random.Random) -> bytes:
    return rng.choice(
        (b"(", b"t", b"l", b"d", b"a", b"e", b"s", b"u", b"\x85", b"\x86", b"\x87", b"0")
    )


def _memo(rng: random.Random) -> bytes:
    slot = bytes([rng.randint(0, 3)])
    return rng.choice((b"q" + slot, b"h" + slot, b"\x94", b"p1\n", b"g1\n"))


def _name(rng: random.Random) -> bytes:
    return b"c" + rng.choice(_NAMES) + rng.choice((b"", b")R", b"R", b"b"))


def _array(rng: random.Random) -> bytes:
    """numpy's own way of writing an array, with sizes that may lie."""
    kind, boxed = rng.choice(_KINDS), rng.random() < 0.3
    sides = [rng.choice((*_NUMBERS, 2, 4, 4, 4)) for _ in range(rng.randint(0, 3))]
    shape = b"(" + b"".join(b"I" + str(side).encode() + b"\n" for side in sides) + b"t"
    raw = rng.randbytes(rng.choice((0, 4, 8, 32, 64)))
    content = b"](K\x01K\x02e" if boxed else b"C" + bytes([len(raw)]) + raw
    dtype = b"cnumpy\ndtype\n" + b"U" + bytes([len(kind)]) + kind + b"K\x00K\x01\x87R"
    if rng.random() < 0.8:
        dtype += b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    empty = b"cnumpy._core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R"
    return empty + b"(K\x01" + shape + dtype + rng.choice((b"\x88", b"\x89")) + content + b"tb"


def _noise(rng: random.Random) -> bytes:
    return rng.randbytes(1)


def outcome(data: bytes) -> str:
    """ "read", "refused", or what went wrong."""
    start = time.process_time()  # other jobs do not count
    try:
        repr(load_plain(io.BytesIO(data), len(data)))  # whoever uses it walks it
        found = "read"
    except PlainPickleError:
        found = "refused"
    return found if time.process_time() - start < SLOW_S else "slow"


def _work(seeds: range, channel: Connection) -> None:
    """Say each seed before its program is run, so that a crash has a name."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    virtual = pages * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (virtual + MEMORY_BYTES,) * 2)
    counts: Counter[str] = Counter()
    for seed in seeds:
        channel.send(seed)
        found = outcome(program(seed))
        counts[found] += 1
        if found not in ("read", "refused"):
            channel.send((seed, found))
    channel.send(counts)


def run(first: int, count: int) -> tuple[Counter[str], list[tuple[int, str]]]:
    """Programs `first` to `first + count`, in children that are replaced when they die."""
    counts: Counter[str] = Counter()
    faults: list[tuple[int, str]] = []
    seed, end = first, first + count
    while seed < end:
        ours, theirs = multiprocessing.Pipe(duplex=False)
        start = seed
        child = multiprocessing.Process(target=_work, args=(range(seed, end), theirs))
        child.start()
        theirs.close()
        try:
            while True:
                if not ours.poll(5 * SLOW_S):
                    child.kill()
                    raise EOFError
                said = ours.recv()
                if isinstance(said, Counter):
                    counts += said
                    seed = end
                    break
                if isinstance(said, tuple):
                    faults.append(said)
                else:
                    seed = said
        except EOFError:
            child.join()
            faults.append((seed, f"died with exit code {child.exitcode}"))
            counts["unknown, before a crash"] += seed - start
            seed += 1
        child.join()
    return counts, faults


def main() -> None:
    """Print the table of outcomes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--first", type=int, default=0)
    chosen = parser.parse_args()
    counts, faults = run(chosen.first, chosen.count)
    print(dict(counts))
    for seed, fault in faults[:20]:
        print(f"seed {seed}: {fault}")
    raise SystemExit(1 if faults else 0)


if __name__ == "__main__":
    main()
